"""The stage that writes a Dockerfile for a source tree that has none."""

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
from container_kit.stages.dockerfile.base_availability import survey
from container_kit.stages.dockerfile.generate.plan import SOURCE_IGNORED, DockerfilePlan, plan
from container_kit.stages.ecosystems.facets.generation import questions as unsettled
from container_kit.stages.ecosystems.facets.generation.base_images import BasePolicy
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree


class WriteDockerfile(Stage[Dockerfile]):
    """Write a Dockerfile and a .dockerignore from what the analysis found.

    Args:
        policy: Which base images are used.
        engine: Asked which base images are there and, through it, what registries have; where none answers, the usual
            ones are taken.
    """

    faults: ClassVar[tuple[FaultCode, ...]] = (*PATH_FAULTS, *unsettled.FAULTS, SOURCE_IGNORED, *files.FAULTS)

    def __init__(self, policy: BasePolicy | None = None, engine: DockerEngine | None = None) -> None:
        self._policy = policy or BasePolicy()
        self._engine = engine or DockerEngine()

    async def validate(
        self, ctx: StageContext, source: Source, analysis: Analysis, options: DockerfileOptions | None = None
    ) -> None:
        """Check that the analysis suffices and that nobody's Dockerfile is in the way.

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
        """Write `Dockerfile` beside the module and, where there is none, `.dockerignore` at the root.

        An earlier file that was generated and not edited is replaced; any other is left alone, or kept beside the new
        one where the options say overwrite.

        Raises:
            StageFailure: One of `faults`; nothing was written then.
        """
        options = options or DockerfileOptions()
        proposal = await self._proposal(ctx, source, analysis, options)
        if not options.write:
            return proposal
        root = ctx.workspace.directory(source.path)
        with anyio.CancelScope(shield=True):  # two small files: sooner done than undone
            written = await anyio.to_thread.run_sync(put, root, proposal, ctx.run_id, options.overwrite)
        ctx.progress(f"wrote {written.path}" + (" and .dockerignore" if written.ignore else ""), 1.0)
        return written

    async def rollback(self, ctx: StageContext, made: Dockerfile) -> None:
        """Take away what was written, unless somebody edited it since, and put back what it replaced.

        Raises:
            StageFailure: `dockerfile.unwritable`.
        """
        if made.written:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(undo, ctx.workspace, made)

    async def preview(
        self, ctx: StageContext, source: Source, analysis: Analysis, options: DockerfileOptions | None = None
    ) -> Preview[Dockerfile]:
        """Foretell the files, writing nothing."""
        options = options or DockerfileOptions()
        proposal = await self._proposal(ctx, source, analysis, options)
        says = [f"write {proposal.path} ({len(proposal.content.splitlines())} lines)"] if options.write else []
        if options.write and proposal.ignore:
            says.append("write .dockerignore")
        return Preview(tuple(says), proposal)

    async def _proposal(
        self,
        ctx: StageContext,
        source: Source,
        analysis: Analysis,
        options: DockerfileOptions,
    ) -> Dockerfile:
        root = ctx.workspace.directory(source.path)

        def work() -> DockerfilePlan:
            return plan(analysis, source.module, ContextTree(root), options, self._policy)

        planned = await anyio.to_thread.run_sync(work)
        available = await survey(self._engine, planned.choices())
        return await anyio.to_thread.run_sync(planned.dockerfile, available)


def put(root: Path, proposal: Dockerfile, run_id: str, overwrite: bool) -> Dockerfile:
    """Write a proposal's files into a tree: both or none.

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


def undo(workspace: Workspace, made: Dockerfile) -> None:
    """Take away what was written, unless somebody edited it since, and put back what it replaced."""
    if Path(made.root).is_dir():  # a tree that is gone needs no undoing
        _remove(workspace.directory(made.root), made)


def _remove(root: Path, made: Dockerfile) -> None:
    files.remove(root, made.path, made.content, made.replaced)
    if made.ignore is not None:
        files.remove(root, made.ignore_path, made.ignore, None)
