"""The source tree of a scan: its root, module and Dockerfile."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.stage import StageContext

_MAX_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class ScanTarget:
    """The part of a source tree that a scan needs."""

    root: Path | None = None
    module: str = "."
    dockerfile: str = "Dockerfile"
    """Relative to the root."""
    content: str = ""
    """The Dockerfile's text; empty if there is no readable Dockerfile."""
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)


def find_source_tree(
    ctx: StageContext, image: Image, source: Source | None, dockerfile: Dockerfile | None, options: BuildOptions
) -> ScanTarget:
    """Find the tree that an image was built from.

    Raises:
        StageFailure: The given source is outside the workspace or cannot be read. A source that only the image names
            is ignored instead.
    """
    root: Path | None = None
    if source is not None:
        root = ctx.workspace.directory(source.path)
    elif image.source:
        with suppress(StageFailure):
            root = ctx.workspace.directory(image.source)
    module = source.module if source else "."
    name, content = _dockerfile(root, module, dockerfile, options)
    return ScanTarget(root, module, name, content, options.target, options.build_args)


def _dockerfile(root: Path | None, module: str, written: Dockerfile | None, options: BuildOptions) -> tuple[str, str]:
    if written is not None:
        return written.path, written.content
    names = [options.dockerfile] if options.dockerfile else _usual(module)
    for name in names:
        if root is not None and (content := _read(root, name)):
            return name, content
    return names[0], ""


def _usual(module: str) -> list[str]:
    """List the paths where a build finds the Dockerfile: in the module's folder first."""
    folders = dict.fromkeys((PurePosixPath(module), PurePosixPath()))
    return [str(folder / name) for folder in folders for name in ("Dockerfile", "dockerfile", "Containerfile")]


def _read(root: Path, name: str) -> str:
    path = (root / name).resolve()
    if not path.is_relative_to(root) or not path.is_file():
        return ""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return ""
