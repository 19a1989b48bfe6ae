"""Code that the pipelines of the catalog share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.retry import RetryPolicy
from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.image import BuildOptions, LocalImage
from container_kit.stages.artifacts.source import Source
from container_kit.stages.docker.image_reference import short_name

if TYPE_CHECKING:
    from container_kit.stages.docker.engine import DockerEngine
    from container_kit.stages.scan import ScannerSettings

TRANSIENT = RetryPolicy.exponential(max_attempts=3, initial_delay=1, max_delay=30, multiplier=2)


@cache
def engine() -> DockerEngine:
    """Return the engine of all stages, so that they share its connections and its limit on calls."""
    from container_kit.stages.docker.engine import DockerEngine

    return DockerEngine()


def scanner_settings(osv_api: str | None) -> ScannerSettings:
    """Return the settings of the scanners.

    Args:
        osv_api: The address of the API of OSV, or `off`; None means the default.
    """
    from container_kit.stages.scan.scanners.base import ScannerSettings, parse_osv_api

    return ScannerSettings() if osv_api is None else ScannerSettings(osv_api=parse_osv_api(osv_api))


def application(artifacts: Artifacts, name: str | None) -> str:
    """Return the name of an application: the requested one, or that of its folder or its image."""
    source, image = artifacts.get(Source), artifacts.get(LocalImage)
    if name is None and source is not None:
        name = (Path(source.path).resolve() / source.module).name
    elif name is None and image is not None:
        name = short_name(image.image)
    return (name or "").lower()


def needs_dockerfile(artifacts: Artifacts) -> bool:
    """Return whether a Dockerfile must be written."""
    return artifacts[Analysis].dockerfile is None and artifacts[BuildOptions].dockerfile is None
