"""Scanning images and folders: every scanner that is there, one report, one gate."""

from container_kit.stages.scan.describe import DescribeImage, DescribeSource
from container_kit.stages.scan.image import ScanImage
from container_kit.stages.scan.scanner import ScannerSettings
from container_kit.stages.scan.source import ScanSource

__all__ = ["DescribeImage", "DescribeSource", "ScanImage", "ScanSource", "ScannerSettings"]
