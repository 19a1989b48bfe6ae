"""Scanning images and folders: every scanner that is there, one report, one gate."""

from container_kit.stages.scan.sbom_stages import GenerateImageSbom, GenerateSourceSbom
from container_kit.stages.scan.scan_image import ScanImage
from container_kit.stages.scan.scan_source import ScanSource
from container_kit.stages.scan.scanners.base import ScannerSettings

__all__ = ["GenerateImageSbom", "GenerateSourceSbom", "ScanImage", "ScanSource", "ScannerSettings"]
