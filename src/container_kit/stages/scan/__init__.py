"""The stages that scan images and folders: every installed scanner, one report, one gate.

A scanner is one module in `scanners`; the built-in matcher is in `builtin`.
"""

from container_kit.stages.scan.sbom_stages import GenerateImageSbom, GenerateSourceSbom
from container_kit.stages.scan.scan_image import ScanImage
from container_kit.stages.scan.scan_source import ScanSource
from container_kit.stages.scan.scanners.base import ScannerSettings

__all__ = ["GenerateImageSbom", "GenerateSourceSbom", "ScanImage", "ScanSource", "ScannerSettings"]
