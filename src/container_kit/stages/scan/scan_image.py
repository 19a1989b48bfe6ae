"""The stage that scans an image."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import anyio.to_thread

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract import workspace
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.docker import engine as docker_engine
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.scan import gate
from container_kit.stages.scan import image_export as archive
from container_kit.stages.scan.builtin import image_inventory as inventory
from container_kit.stages.scan.builtin import scanner as builtin
from container_kit.stages.scan.evaluate import evaluate
from container_kit.stages.scan.remediation import layers
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.remediation.lineage import read_lineage
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, gather_results, unavailable
from container_kit.stages.scan.scanners.grype import Grype
from container_kit.stages.scan.scanners.hadolint import lint
from container_kit.stages.scan.scanners.trivy import Trivy
from container_kit.stages.scan.source_tree import ScanTarget, find_source_tree


class ScanImage(Stage[ScanReport]):
    """Look for known vulnerabilities, secrets and Dockerfile problems in an image, and let it pass the policy or not.

    Args:
        engine: Where the image is.
        settings: Where scanners and databases are.
    """

    read_only: ClassVar[bool] = True
    faults: ClassVar[tuple[FaultCode, ...]] = (*gate.FAULTS, *archive.FAULTS, *docker_engine.FAULTS, *workspace.FAULTS)

    def __init__(self, engine: DockerEngine, settings: ScannerSettings | None = None) -> None:
        self._engine = engine
        self._settings = settings or ScannerSettings()

    async def execute(
        self,
        ctx: StageContext,
        image: Image,
        policy: ScanPolicy | None = None,
        source: Source | None = None,
        dockerfile: Dockerfile | None = None,
        options: BuildOptions | None = None,
    ) -> ScanReport:
        """Scan with every scanner that is there.

        Args:
            ctx: The run.
            image: The image; in a dry run it may not be built yet, then nothing can be looked at.
            policy: What to refuse; None means the default policy.
            source: The tree that it was built from, to name lines in it; None means the one that the image names.
            dockerfile: The Dockerfile that it was built with, where one was written.
            options: What was asked of the build: the Dockerfile's path, the target, build arguments.

        Raises:
            StageFailure: One of `faults`. A missing scanner is none of them: the report says `unavailable`.
        """
        policy = policy or ScanPolicy()
        tree = await anyio.to_thread.run_sync(
            find_source_tree, ctx, image, source, dockerfile, options or BuildOptions()
        )
        if ctx.dry_run and not image.id:
            results = [unavailable("image", "dry run: the image is not built yet")]
            return evaluate(image.reference, results, ScanContext(), policy, self._settings.cap)
        async with archive.scratch_folder() as folder:
            results, known = await self._look(ctx, image, folder, tree)
        return await anyio.to_thread.run_sync(evaluate, image.reference, results, known, policy, self._settings.cap)

    async def _look(
        self, ctx: StageContext, image: Image, folder: Path, tree: ScanTarget
    ) -> tuple[list[ScannerResult], ScanContext]:
        if self._is_blind():
            await archive.find(self._engine, image)
            exported = folder / "nothing"
        else:
            ctx.progress(f"exporting {image.reference} for scanning")
            exported = await archive.export(self._engine, image, folder)
        looks: list[Callable[[], Awaitable[ScannerResult]]] = [
            lambda: Trivy(self._settings, folder).image(ctx, exported),
            lambda: Grype(self._settings, folder).image(ctx, exported),
        ]
        if tree.content:
            looks.append(lambda: lint(self._settings, tree.content, tree.dockerfile, tree.root or folder))
        results = await gather_results(looks)
        if not any(result.completed for result in results if result.run.scope == "vulnerabilities"):
            read = partial(inventory.read, exported)
            results.append(await builtin.scan(self._settings, ctx, "the image's layers", read))
        return results, await anyio.to_thread.run_sync(_what_is_known, exported, tree)

    def _is_blind(self) -> bool:
        """Whether nothing is there that could look into an image, so that exporting it is of no use."""
        return self._settings.exports is None and not any(map(self._settings.program, ("trivy", "grype")))


def _what_is_known(exported: Path, tree: ScanTarget) -> ScanContext:
    configuration = layers.read_configuration(exported)
    lineage = read_lineage(tree.content, tree.target, tree.build_args) if tree.content else None
    return ScanContext(
        root=tree.root,
        module=tree.module,
        dockerfile=tree.dockerfile,
        lineage=lineage,
        origins=layers.find_origins(configuration, lineage) if configuration else {},
    )
