"""The one place where tools start runs, follow them and ask for those of the past.

What only reads, and dry runs, are kept in memory; what changes the world is kept in the store, if there is one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
from pydantic import JsonValue

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.catalog import plan as from_catalog
from container_kit.pipelines.events import Listener
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, new_run_id, unknown_run
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.config import Store
from container_kit.pipelines.runs.memory import MemoryRuns
from container_kit.pipelines.runs.snapshot import LogPart, RunState, RunView
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.pipelines.runs.stored import StoredRuns
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.deploy.targets import Targets

RUN_CHANGED_NOTHING = FaultCode(
    "run.read_only",
    means="The run only read, or was a dry run: there is nothing to roll back.",
    hint="Name the run that made the change; list-runs shows them.",
)

Find = Callable[[str], Plan]


class RunService:
    """Runs, wherever they are kept. A run is known to its caller alone.

    Args:
        workspace: The folders that runs may read.
        store: Where runs that change the world are kept; None keeps them in memory too.
        listeners: Hear the events of all runs that are carried out here.
        find: Finds a pipeline by its name; by default in the catalog.
        targets: Where these pipelines deploy to beside the local engine.
    """

    def __init__(
        self,
        workspace: Workspace,
        store: Store | None = None,
        *,
        listeners: Sequence[Listener] = (),
        find: Find = from_catalog,
        targets: Targets = (),
    ) -> None:
        self.workspace = workspace
        self.targets = targets
        self.find = find
        self._memory = MemoryRuns(workspace, listeners)
        self._stored = None if store is None else StoredRuns(store, find, listeners)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[RunService]:
        """Let the store be opened for as long as the block lasts."""
        async with anyio.create_task_group() as group:
            if self._stored is not None:
                self._stored.attach(group)
            try:
                yield self
            finally:
                group.cancel_scope.cancel()

    async def execute_run(self, request: PipelineRequest, asker: Caller) -> PipelineResponse:
        """Run to the end. Cancelling this task stops the running stage and undoes what the pipeline's kind demands.

        Raises:
            StillRunning: It goes on, and the asker waits no longer.
            ConfigurationError: There is no such pipeline.
            StageFailure: The store cannot be used, or the request does not fit.
        """
        pipeline = self.find(request.type)
        if self._stored is None or request.options.dry_run or _only_reads(pipeline):
            return await self._memory.execute_run(pipeline, request, asker)
        return await self._stored.follow(await self._stored.start(request, self.workspace, asker), asker)

    def stored(self, run_id: str) -> StoredRuns:
        """The store, which may know a run.

        Raises:
            StageFailure: `run.unknown`: there is no store.
        """
        if self._stored is None or not self._stored.exists:
            raise unknown_run(run_id)
        return self._stored

    async def artifacts(self, run_id: str, principal: str | None = None) -> Artifacts:
        """What a run has made.

        Raises:
            StageFailure: `run.unknown`; another caller's run is unknown too.
        """
        if run_id in self._memory:
            return self._memory.artifacts(run_id, principal)
        return await self.stored(run_id).artifacts(run_id, principal)

    async def get(self, run_id: str, principal: str | None = None) -> RunView:
        """One run.

        Raises:
            StageFailure: `run.unknown`.
        """
        if run_id in self._memory:
            return self._memory.get(run_id, principal)
        return await self.stored(run_id).get(run_id, principal)

    async def live(self, run_id: str, principal: str | None = None) -> tuple[RunView, StageStates]:
        """One run, and how its stages stand at this moment.

        Raises:
            StageFailure: `run.unknown`.
        """
        if run_id in self._memory:
            return self._memory.live(run_id, principal)
        return await self.stored(run_id).live(run_id, principal)

    async def changes(self, run_id: str, principal: str | None, begun: Callable[[], None]) -> AsyncIterator[str | None]:
        """The stages that change from now on, None for the run itself, until it has ended.

        Args:
            begun: Called when nothing that changes is missed any more.

        Raises:
            StageFailure: `run.unknown`.
        """
        kept = self._memory if run_id in self._memory else self.stored(run_id)
        async for stage in kept.changes(run_id, principal, begun):
            yield stage

    async def newest(
        self,
        *,
        principal: str | None = None,
        status: RunState | None = None,
        pipeline: str | None = None,
        limit: int = 20,
    ) -> list[RunView]:
        """The newest runs that fit, newest first, without their stages."""
        found = self._memory.newest(principal, status, pipeline, limit)
        if self._stored is not None and self._stored.exists:
            found += await self._stored.newest(principal, status, pipeline, limit)
        return sorted(found, key=lambda view: view.created, reverse=True)[:limit]

    async def log(
        self, run_id: str, stage: str, *, first: int | None = None, count: int = 200, principal: str | None = None
    ) -> LogPart:
        """Lines of a stage's log; None for `first` means the last `count` lines.

        Raises:
            StageFailure: `run.unknown`.
        """
        if run_id in self._memory:
            return self._memory.log(run_id, principal, stage, first, count)
        return await self.stored(run_id).log(run_id, principal, stage, first, count)

    async def cancel(self, run_id: str, principal: str | None = None) -> RunView:
        """Ask a run to stop; one that has ended stays as it is.

        Raises:
            StageFailure: `run.unknown`.
        """
        if run_id in self._memory:
            return self._memory.cancel(run_id, principal)
        await self.stored(run_id).cancel(run_id, principal)
        return await self.get(run_id, principal)

    async def retry(
        self,
        run_id: str,
        changes: Mapping[str, JsonValue],
        asker: Caller,
        *,
        from_stage: str | None = None,
    ) -> PipelineResponse:
        """Run again from the stage that failed, with changed input; a run in memory is run from its start.

        Raises:
            StageFailure: `run.unknown`, `run.not_ended`, `request.invalid`.
            StillRunning: It goes on, and the asker waits no longer.
        """
        if run_id in self._memory:
            request = self._memory.request(run_id, asker.principal)
            again = request.model_copy(update={"id": new_run_id(), "input": {**request.input, **changes}})
            return await self.execute_run(again, asker)
        stored = self.stored(run_id)
        return await stored.follow(await stored.retry(run_id, asker, changes, from_stage), asker)

    async def roll_back(self, run_id: str, asker: Caller) -> PipelineResponse:
        """Undo what a run did that has ended.

        Raises:
            StageFailure: `run.unknown`, `run.read_only`, `run.not_ended`.
            StillRunning: It goes on, and the asker waits no longer.
        """
        if run_id in self._memory:
            run = self._memory.get(run_id, asker.principal)
            raise RUN_CHANGED_NOTHING(f"run {run_id} of {run.pipeline} changed nothing that could be undone")
        stored = self.stored(run_id)
        return await stored.follow(await stored.roll_back(run_id, asker), asker)

    async def stop(self, within: float) -> None:
        """Ask the runs that were started here to stop and wait for their clean-up.

        Args:
            within: Seconds to wait at most.
        """
        with anyio.move_on_after(within):
            async with anyio.create_task_group() as group:
                group.start_soon(self._memory.stop)
                if self._stored is not None:
                    group.start_soon(self._stored.stop)

    async def leave(self, within: float) -> None:
        """Stop the runs in memory; those in the store stay as they are, for whoever comes next on it.

        Args:
            within: Seconds to wait at most.
        """
        with anyio.move_on_after(within):
            await self._memory.stop()
            if self._stored is not None:
                await self._stored.close()

    @property
    def executing_here(self) -> tuple[str, ...]:
        """The runs in the store that this process is about, whoever asked for them."""
        return () if self._stored is None else self._stored.executing_here

    async def finish(self) -> None:
        """Wait until no run is carried out here any more, though nobody may wait for it."""
        if self._stored is not None:
            await self._stored.finish()


def _only_reads(pipeline: Plan) -> bool:
    return all(step.stage.read_only for step in pipeline.steps())
