"""The stage that scans an image."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
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
from container_kit.stages.scan import gate, image_export
from container_kit.stages.scan.builtin import image_inventory as inventory
from container_kit.stages.scan.builtin import scanner as builtin
from container_kit.stages.scan.builtin import source_inventory
from container_kit.stages.scan.evaluate import evaluate
from container_kit.stages.scan.remediation import layers
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.remediation.lineage import read_lineage
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, gather_results, unavailable
from container_kit.stages.scan.scanners.grype import Grype
from container_kit.stages.scan.scanners.hadolint import lint
from container_kit.stages.scan.scanners.trivy import Trivy
from container_kit.stages.scan.source_tree import ScanTarget, find_source_tree

_COMPILED = frozenset({"golang", "cargo", "nuget", "hex"})
"""The ecosystems whose packages leave no files in an image, because they are compiled into its programs."""


class ScanImage(Stage[ScanReport]):
    """Scan an image for known vulnerabilities, secrets and Dockerfile problems, and apply the policy.

    Args:
        engine: The engine that has the image.
        settings: The settings of the scanners.
    """

    read_only: ClassVar[bool] = True
    faults: ClassVar[tuple[FaultCode, ...]] = (
        *gate.FAULTS,
        *image_export.FAULTS,
        *docker_engine.FAULTS,
        *workspace.FAULTS,
    )

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
        """Scan with every installed scanner.

        Args:
            ctx: The run.
            image: The image. In a dry run it may not be built yet, and nothing is scanned.
            policy: The policy; None means the default policy.
            source: The tree that it was built from, to name lines in it; None means the tree that the image names.
            dockerfile: The Dockerfile that it was built with, if it was generated.
            options: The options of the build: the Dockerfile's path, the target, build arguments.

        Raises:
            StageFailure: One of `faults`. A missing scanner is not a fault; the report says `unavailable`.
        """
        policy = policy or ScanPolicy()
        tree = await anyio.to_thread.run_sync(
            find_source_tree, ctx, image, source, dockerfile, options or BuildOptions()
        )
        if ctx.dry_run and not image.id:
            results = [unavailable("image", "dry run: the image is not built yet")]
            return evaluate(image.reference, results, ScanContext(), policy, self._settings.cap)
        async with image_export.scratch_folder() as folder:
            results, known = await self._run_scanners(ctx, image, folder, tree, has_source=source is not None)
        return await anyio.to_thread.run_sync(evaluate, image.reference, results, known, policy, self._settings.cap)

    async def _run_scanners(
        self, ctx: StageContext, image: Image, folder: Path, tree: ScanTarget, *, has_source: bool
    ) -> tuple[list[ScannerResult], ScanContext]:
        problem = await self._find_problem()
        if problem:
            await image_export.find_image_id(self._engine, image)
            exported = folder / "nothing"
        else:
            ctx.progress(f"exporting {image.reference} for scanning")
            exported = await image_export.export(self._engine, image, folder)
        scans: list[Callable[[], Awaitable[ScannerResult]]] = [
            lambda: Trivy(self._settings, folder).image(ctx, exported),
            lambda: Grype(self._settings, folder).image(ctx, exported),
        ]
        if tree.content:
            scans.append(lambda: lint(self._settings, tree.content, tree.dockerfile, tree.root or folder))
        results = await gather_results(scans)
        if problem:
            results.append(unavailable("osv", problem))
        elif not any(result.completed for result in results if result.run.scope == "vulnerabilities"):
            read = partial(_read_packages, exported, tree.root if has_source else None)
            results.append(await builtin.scan(self._settings, ctx, "the image's layers", read))
        return results, await anyio.to_thread.run_sync(_create_context, exported, tree)

    async def _find_problem(self) -> str | None:
        """Return the reason why nothing could scan an image, so that its export is useless."""
        if any(map(self._settings.program, ("trivy", "grype"))):
            return None
        try:
            await builtin.find_advisories(self._settings)
        except builtin.NoAdvisories as error:
            return str(error)
        return None


def _read_packages(exported: Path, root: Path | None) -> inventory.Inventory:
    """Read the packages of an image, and those of its source that are compiled into programs."""
    found = inventory.read(exported)
    if root is None:
        return found
    source = source_inventory.read(root)
    compiled = tuple(package for package in source.packages if package.ecosystem in _COMPILED)
    return replace(found, packages=found.packages + compiled)


def _create_context(exported: Path, tree: ScanTarget) -> ScanContext:
    configuration = layers.read_configuration(exported)
    lineage = read_lineage(tree.content, tree.target, tree.build_args) if tree.content else None
    return ScanContext(
        root=tree.root,
        module=tree.module,
        dockerfile=tree.dockerfile,
        lineage=lineage,
        origins=layers.find_origins(configuration, lineage) if configuration else {},
    )
