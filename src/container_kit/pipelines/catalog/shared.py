"""What pipelines of the catalog have in common."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.retry import RetryPolicy
from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.image import BuildOptions, LocalImage
from container_kit.stages.artifacts.source import Source

if TYPE_CHECKING:
    from container_kit.stages.docker.engine import DockerEngine

TRANSIENT = RetryPolicy.exponential(max_attempts=3, initial_delay=1, max_delay=30, multiplier=2)


@cache
def engine() -> DockerEngine:
    """One engine for all stages, so that its connections and its limit on calls are shared."""
    from container_kit.stages.docker.engine import DockerEngine

    return DockerEngine()


def application(made: Artifacts, name: str | None) -> str:
    """What an application is called: as asked, else as its folder or its image."""
    source, image = made.get(Source), made.get(LocalImage)
    if name is None and source is not None:
        name = (Path(source.path).resolve() / source.module).name
    elif name is None and image is not None:
        name = image.image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    return (name or "").lower()


def lacks_dockerfile(made: Artifacts) -> bool:
    """Whether one has to be written."""
    return made[Analysis].dockerfile is None and made[BuildOptions].dockerfile is None
