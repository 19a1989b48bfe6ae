"""The stage that lists what is in an image."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import ClassVar

import anyio.to_thread

from container_kit.stages import docker_engine
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import Sbom
from container_kit.stages.contract import Stage, StageContext
from container_kit.stages.docker_engine import DockerEngine
from container_kit.stages.fault import FaultCode
from container_kit.stages.scan import archive
from container_kit.stages.scan.inventory import Inventory, UnreadableArchive, read
from container_kit.stages.scan.process import Finished, ProgramTrouble, run
from container_kit.stages.scan.sbom import of_inventory, read_document
from container_kit.stages.scan.scanner import ScannerSettings
from container_kit.stages.scan.trivy import Trivy

UNREADABLE = FaultCode(
    "scan.image_unreadable",
    means="What the engine exports is not an image that can be read.",
    hint="Install Syft, which reads more formats, or build {reference} again.",
)


class DescribeImage(Stage[Sbom]):
    """List what is in an image as a software bill of materials (CycloneDX).

    Args:
        engine: Where the image is.
        settings: Where Syft and Trivy are; without them the built-in inventory makes the list.
    """

    read_only: ClassVar[bool] = True
    faults: ClassVar[tuple[FaultCode, ...]] = (UNREADABLE, *archive.FAULTS, *docker_engine.FAULTS)

    def __init__(self, engine: DockerEngine, settings: ScannerSettings | None = None) -> None:
        self._engine = engine
        self._settings = settings or ScannerSettings()

    async def execute(self, ctx: StageContext, image: Image) -> Sbom:
        """List the packages; in a dry run, of an image that is not built yet, the list is empty and says so.

        Raises:
            StageFailure: One of `faults`.
        """
        if ctx.dry_run and not image.id:
            return of_inventory(image.reference, "", Inventory(unread=("dry run: the image is not built yet",)))
        async with archive.scratch_folder() as folder:
            ctx.progress(f"exporting {image.reference} to list what is in it")
            exported = await archive.export(self._engine, image, folder)
            for make in (self._by_syft, self._by_trivy):
                if made := await make(ctx, image, exported):
                    return made
            return await self._own(ctx, image, exported)

    async def _by_syft(self, ctx: StageContext, image: Image, exported: Path) -> Sbom | None:
        program = self._settings.program("syft")
        if program is None:
            return None
        argv = [program, "scan", f"docker-archive:{exported}", "-o", "cyclonedx-json", "--quiet"]
        return await _listed(ctx, image, "syft", run(argv, within=self._settings.timeout, cwd=exported.parent))

    async def _by_trivy(self, ctx: StageContext, image: Image, exported: Path) -> Sbom | None:
        if self._settings.program("trivy") is None:
            return None
        return await _listed(ctx, image, "trivy", Trivy(self._settings, exported.parent).describe(exported))

    async def _own(self, ctx: StageContext, image: Image, exported: Path) -> Sbom:
        ctx.progress(f"reading the packages of {image.reference} from its layers")
        try:
            inventory = await anyio.to_thread.run_sync(read, exported)
        except UnreadableArchive as error:
            raise UNREADABLE(f"{image.reference}: {error}", reference=image.reference) from error
        return of_inventory(image.reference, image.id, inventory)


async def _listed(ctx: StageContext, image: Image, name: str, listing: Awaitable[Finished]) -> Sbom | None:
    """Take another program's list; where it makes none, the next one is asked."""
    ctx.progress(f"{name}: listing the packages of {image.reference}")
    try:
        answer = await listing
    except ProgramTrouble as trouble:
        ctx.output(str(trouble))
        return None
    made = read_document(image.reference, name, answer.out) if answer.code == 0 else None
    if made is None:
        ctx.output(f"{name} made no list: {answer.complaint}")
    return made
