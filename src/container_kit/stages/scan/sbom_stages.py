"""The stages that generate a software bill of materials of an image or a folder."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import anyio.to_thread

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import Sbom
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract import workspace
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.docker import engine as docker_engine
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.programs.run import ProgramError, ProgramResult, run
from container_kit.stages.scan import image_export
from container_kit.stages.scan.builtin import source_inventory
from container_kit.stages.scan.builtin.cyclonedx import of_inventory, read_document
from container_kit.stages.scan.builtin.image_inventory import Inventory, UnreadableArchive, read
from container_kit.stages.scan.scanners.base import ScannerSettings
from container_kit.stages.scan.scanners.trivy import Trivy

IMAGE_UNREADABLE = FaultCode(
    "scan.image_unreadable",
    means="The exported image cannot be read.",
    hint="Install Syft, which reads more formats, or build {reference} again.",
)


class GenerateImageSbom(Stage[Sbom]):
    """Generate the software bill of materials of an image (CycloneDX).

    Args:
        engine: The engine that has the image.
        settings: The search path of Syft and Trivy. Without them the built-in inventory generates it.
    """

    read_only: ClassVar[bool] = True
    faults: ClassVar[tuple[FaultCode, ...]] = (IMAGE_UNREADABLE, *image_export.FAULTS, *docker_engine.FAULTS)

    def __init__(self, engine: DockerEngine, settings: ScannerSettings | None = None) -> None:
        self._engine = engine
        self._settings = settings or ScannerSettings()

    async def execute(self, ctx: StageContext, image: Image) -> Sbom:
        """List the packages. In a dry run, the list of an image that is not built yet is empty, and states that.

        Raises:
            StageFailure: One of `faults`.
        """
        if ctx.dry_run and not image.id:
            return of_inventory(image.reference, "", Inventory(unread=("dry run: the image is not built yet",)))
        async with image_export.scratch_folder() as folder:
            ctx.progress(f"exporting {image.reference} to list its packages")
            exported = await image_export.export(self._engine, image, folder)
            target = _Target(image.reference, f"docker-archive:{exported}", exported, "image")
            made = await _with_programs(ctx, self._settings, target, folder)
            return made or await self._with_inventory(ctx, image, exported)

    async def _with_inventory(self, ctx: StageContext, image: Image, exported: Path) -> Sbom:
        ctx.progress(f"reading the packages of {image.reference} from its layers")
        try:
            inventory = await anyio.to_thread.run_sync(read, exported)
        except UnreadableArchive as error:
            raise IMAGE_UNREADABLE(f"{image.reference}: {error}", reference=image.reference) from error
        return of_inventory(image.reference, image.id, inventory)


class GenerateSourceSbom(Stage[Sbom]):
    """Generate the software bill of materials of a folder from its lock files (CycloneDX).

    Args:
        settings: The search path of Syft and Trivy. Without them the built-in inventory generates it.
    """

    read_only: ClassVar[bool] = True
    faults: ClassVar[tuple[FaultCode, ...]] = workspace.FAULTS

    def __init__(self, settings: ScannerSettings | None = None) -> None:
        self._settings = settings or ScannerSettings()

    async def validate(self, ctx: StageContext, source: Source) -> None:
        """Check that the folder exists and is readable."""
        ctx.workspace.directory(source.path)

    async def execute(self, ctx: StageContext, source: Source) -> Sbom:
        """List the packages that the folder's lock files pin.

        Raises:
            StageFailure: One of `faults`.
        """
        folder = ctx.workspace.directory(source.path)
        async with image_export.scratch_folder() as scratch:
            made = await _with_programs(
                ctx, self._settings, _Target(str(folder), f"dir:{folder}", folder, "fs"), scratch
            )
        if made:
            return made
        ctx.progress(f"reading the lock files in {folder}")
        return of_inventory(str(folder), "", await anyio.to_thread.run_sync(source_inventory.read, folder))


@dataclass(frozen=True, slots=True)
class _Target:
    """The target, in the terms of each program."""

    name: str
    syft: str
    path: Path
    trivy: Literal["image", "fs"]


async def _with_programs(ctx: StageContext, settings: ScannerSettings, target: _Target, scratch: Path) -> Sbom | None:
    """Generate the list with Syft, else with Trivy; None if both fail."""
    made: Sbom | None = None
    if syft := settings.program("syft"):
        argv = [syft, "scan", target.syft, "-o", "cyclonedx-json", "--quiet"]
        made = await _read_listing(ctx, target.name, "syft", run(argv, timeout=settings.timeout, cwd=scratch))
    if made is None and settings.program("trivy"):
        listing = Trivy(settings, scratch).describe(target.trivy, target.path)
        made = await _read_listing(ctx, target.name, "trivy", listing)
    return made


async def _read_listing(ctx: StageContext, target: str, name: str, listing: Awaitable[ProgramResult]) -> Sbom | None:
    """Read the list of a program; None if it failed."""
    ctx.progress(f"{name}: listing the packages of {target}")
    try:
        answer = await listing
    except ProgramError as error:
        ctx.output(str(error))
        return None
    made = read_document(target, name, answer.out) if answer.code == 0 else None
    if made is None:
        ctx.output(f"{name} failed: {answer.last_error}")
    return made
