"""The stage that generates a Dockerfile."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, StageFailure
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.dockerfile import files
from container_kit.stages.dockerfile.base_availability import find_available
from container_kit.stages.dockerfile.generate.plan import SOURCE_IGNORED, DockerfilePlan, plan
from container_kit.stages.ecosystems.facets.generation import questions as unsettled
from container_kit.stages.ecosystems.facets.generation.base_images import BasePolicy
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.formats.dockerignore import IGNORE_INVALID


class WriteDockerfile(Stage[Dockerfile]):
    """Write a Dockerfile and a .dockerignore from what the analysis found.

    Args:
        policy: The base images to use.
        engine: Reports which base images it has and which its registries offer. The default base images are used if
            no engine answers.
    """

    faults: ClassVar[tuple[FaultCode, ...]] = (
        *PATH_FAULTS,
        *unsettled.FAULTS,
        SOURCE_IGNORED,
        IGNORE_INVALID,
        *files.FAULTS,
    )

    def __init__(self, policy: BasePolicy | None = None, engine: DockerEngine | None = None) -> None:
        self._policy = policy or BasePolicy()
        self._engine = engine or DockerEngine()

    async def validate(
        self, ctx: StageContext, source: Source, analysis: Analysis, options: DockerfileOptions | None = None
    ) -> None:
        """Check that the analysis is sufficient and that no Dockerfile of a person would be replaced.

        Raises:
            StageFailure: One of `faults`.
        """
        options = options or DockerfileOptions()
        proposal = await self._proposal(ctx, source, analysis, options)
        if options.write and not options.overwrite:
            root = ctx.workspace.directory(source.path)
            await anyio.to_thread.run_sync(files.reject_replacing, root, proposal.path)

    async def execute(
        self, ctx: StageContext, source: Source, analysis: Analysis, options: DockerfileOptions | None = None
    ) -> Dockerfile:
        """Write `Dockerfile` in the module's folder and, if there is no `.dockerignore`, one at the root.

        A generated file that was not edited is replaced. Any other file is kept: with `overwrite` under another name
        next to the new one, otherwise the stage fails.

        Raises:
            StageFailure: One of `faults`; nothing is written then.
        """
        options = options or DockerfileOptions()
        proposal = await self._proposal(ctx, source, analysis, options)
        if not options.write:
            return proposal
        root = ctx.workspace.directory(source.path)
        with anyio.CancelScope(shield=True):  # two small files: finishing is faster than undoing
            written = await anyio.to_thread.run_sync(put, root, proposal, ctx.run_id, options.overwrite)
        ctx.progress(f"wrote {written.path}" + (" and .dockerignore" if written.ignore else ""), 1.0)
        return written

    async def rollback(self, ctx: StageContext, dockerfile: Dockerfile) -> None:
        """Remove the written files, unless they were edited since, and restore the replaced file.

        Raises:
            StageFailure: `dockerfile.unwritable`.
        """
        if dockerfile.written:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(undo, ctx.workspace, dockerfile)

    async def preview(
        self, ctx: StageContext, source: Source, analysis: Analysis, options: DockerfileOptions | None = None
    ) -> Preview[Dockerfile]:
        """Return the files without writing them."""
        options = options or DockerfileOptions()
        proposal = await self._proposal(ctx, source, analysis, options)
        changes = [f"write {proposal.path} ({len(proposal.content.splitlines())} lines)"] if options.write else []
        if options.write and proposal.ignore:
            changes.append("write .dockerignore")
        return Preview(tuple(changes), proposal)

    async def _proposal(
        self,
        ctx: StageContext,
        source: Source,
        analysis: Analysis,
        options: DockerfileOptions,
    ) -> Dockerfile:
        root = ctx.workspace.directory(source.path)

        def create_plan() -> DockerfilePlan:
            return plan(analysis, source.module, ContextTree(root), options, self._policy)

        dockerfile_plan = await anyio.to_thread.run_sync(create_plan)
        available = await find_available(self._engine, dockerfile_plan.choices())
        return await anyio.to_thread.run_sync(dockerfile_plan.dockerfile, available)


def put(root: Path, proposal: Dockerfile, run_id: str, overwrite: bool) -> Dockerfile:
    """Write the files of a proposal into a tree: both or neither.

    Raises:
        StageFailure: One of `files.FAULTS`.
    """
    kept = files.write(root, proposal.path, proposal.content, run_id=run_id, overwrite=overwrite)
    written = proposal.model_copy(update={"written": True, "root": str(root), "replaced": kept})
    if proposal.ignore is not None:
        try:
            files.write(root, proposal.ignore_path, proposal.ignore, run_id=run_id, overwrite=False)
        except StageFailure:
            _remove(root, written)
            raise
    return written


def undo(workspace: Workspace, dockerfile: Dockerfile) -> None:
    """Remove the written files, unless they were edited since, and restore the replaced file."""
    if Path(dockerfile.root).is_dir():  # a removed tree has nothing to undo
        _remove(workspace.directory(dockerfile.root), dockerfile)


def _remove(root: Path, dockerfile: Dockerfile) -> None:
    files.remove(root, dockerfile.path, dockerfile.content, dockerfile.replaced)
    if dockerfile.ignore is not None:
        files.remove(root, dockerfile.ignore_path, dockerfile.ignore, None)
