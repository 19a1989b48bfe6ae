"""The stage that scans a folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import anyio.to_thread

from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract import workspace
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.scan import gate
from container_kit.stages.scan.builtin import scanner as builtin
from container_kit.stages.scan.builtin import source_inventory
from container_kit.stages.scan.evaluate import evaluate
from container_kit.stages.scan.image_export import scratch_folder
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, completed, gather_results
from container_kit.stages.scan.scanners.grype import Grype
from container_kit.stages.scan.scanners.hadolint import lint
from container_kit.stages.scan.scanners.trivy import Trivy
from container_kit.stages.scan.source_tree import ScanTarget, find_source_tree

_MAX_GAPS = 10


class ScanSource(Stage[ScanReport]):
    """Scan a folder for vulnerable dependencies, secrets, misconfigurations and Dockerfile problems.

    Args:
        settings: The settings of the scanners.
    """

    read_only: ClassVar[bool] = True
    faults: ClassVar[tuple[FaultCode, ...]] = (*gate.FAULTS, *workspace.FAULTS)

    def __init__(self, settings: ScannerSettings | None = None) -> None:
        self._settings = settings or ScannerSettings()

    async def validate(self, ctx: StageContext, source: Source) -> None:
        """Check that the folder exists and is readable."""
        ctx.workspace.directory(source.path)

    async def execute(
        self,
        ctx: StageContext,
        source: Source,
        policy: ScanPolicy | None = None,
        options: BuildOptions | None = None,
    ) -> ScanReport:
        """Scan with every installed scanner.

        Args:
            ctx: The run.
            source: The folder. The manifests of its module are searched first.
            policy: The policy; None means the default policy.
            options: The options of the build, which name the Dockerfile.

        Raises:
            StageFailure: One of `faults`. A missing scanner is not a fault; the report says `unavailable`.
        """
        folder = ctx.workspace.directory(source.path)
        no_image = Image(id="", reference="")
        tree = await anyio.to_thread.run_sync(find_source_tree, ctx, no_image, source, None, options or BuildOptions())
        async with scratch_folder() as scratch:
            results = await self._run_scanners(ctx, folder, scratch, tree)
        known = ScanContext(root=folder, module=source.module, dockerfile=tree.dockerfile)
        return await anyio.to_thread.run_sync(
            evaluate, str(folder), results, known, policy or ScanPolicy(), self._settings.cap
        )

    async def _run_scanners(
        self, ctx: StageContext, folder: Path, scratch: Path, tree: ScanTarget
    ) -> list[ScannerResult]:
        scans: list[Callable[[], Awaitable[ScannerResult]]] = [
            lambda: Trivy(self._settings, scratch).source(ctx, folder),
            lambda: Grype(self._settings, scratch).source(ctx, folder),
        ]
        if tree.content:
            scans.append(lambda: lint(self._settings, tree.content, tree.dockerfile, folder))
        results = await gather_results(scans)
        if not any(result.completed for result in results if result.run.scope == "vulnerabilities"):
            read = partial(source_inventory.read, folder)
            results.append(await builtin.scan(self._settings, ctx, "the folder's lock files", read))
        elif any(result.run.outcome == "clean" for result in results):
            gaps = await anyio.to_thread.run_sync(source_inventory.gaps, folder)
            results = [_with_gaps(result, gaps) for result in results]
        return results


def _with_gaps(result: ScannerResult, gaps: Sequence[str]) -> ScannerResult:
    """Add the gaps to a clean result. Scanners skip dependencies without versions silently, so it is not clean."""
    if not gaps or result.run.outcome != "clean" or result.run.scope != "vulnerabilities":
        return result
    unseen = "; ".join(gaps[:_MAX_GAPS])
    return completed(result.run, result.findings, unseen=unseen, stale=False)
