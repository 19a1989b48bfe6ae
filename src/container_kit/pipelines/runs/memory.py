"""The memory backend, for runs that only read and for dry runs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import islice

import anyio
from pydantic import JsonValue

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Listener
from container_kit.pipelines.execution.in_memory import run_in_memory
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import (
    PipelineRequest,
    PipelineResponse,
    merge_input,
    new_run_id,
    run_not_found,
)
from container_kit.pipelines.run_info import LogPart, RunInfo, RunState
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.memory_run import MemoryRun
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.workspace import Workspace

RUN_READ_ONLY = FaultCode(
    "run.read_only",
    means="The run only read, or was a dry run, so there is nothing to roll back.",
    hint="Name the run that changed something; list-runs shows the runs.",
)

_RUNS_KEPT = 200
_STOP_POLLING = 0.05


class MemoryRuns:
    """The runs of this process. See `RunBackend` for the methods.

    Args:
        workspace: The folders that runs may read.
        listeners: Receive the events of all runs.
    """

    def __init__(self, workspace: Workspace, listeners: Sequence[Listener] = ()) -> None:
        self._workspace = workspace
        self._listeners = listeners
        self._runs: OrderedDict[str, MemoryRun] = OrderedDict()
        self._active: set[str] = set()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    async def execute(self, plan: Plan, request: PipelineRequest, caller: Caller) -> PipelineResponse:
        """Execute a run in the calling task."""
        run = MemoryRun(plan, request, caller)
        self._keep(run)
        self._active.add(request.id)
        try:
            run.response = await run_in_memory(
                plan,
                request,
                listeners=[run, caller.on_event, *self._listeners],
                workspace=self._workspace,
                cancellation=run.cancellation,
                prompt=caller.prompt,
            )
        finally:
            self._active.discard(request.id)
        return run.response

    async def retry(
        self,
        run_id: str,
        caller: Caller,
        changes: Mapping[str, JsonValue],
        from_stage: str | None = None,
    ) -> PipelineResponse:
        """Execute the whole run again."""
        run = self._get(run_id, caller.principal)
        update = {"id": new_run_id(), "input": merge_input(run.request.input, changes)}
        return await self.execute(run.plan, run.request.model_copy(update=update), caller)

    async def roll_back(self, run_id: str, caller: Caller) -> PipelineResponse:
        """Reject the request: the run changed nothing."""
        run = self._get(run_id, caller.principal)
        raise RUN_READ_ONLY(f"run {run_id} of {run.plan.name} changed nothing")

    async def get(self, run_id: str, principal: str | None) -> RunInfo:
        """Return one run with its stages."""
        return self._get(run_id, principal).info()

    async def stage_states(self, run_id: str, principal: str | None) -> tuple[RunInfo, StageStates]:
        """Return one run and the current states of its stages."""
        run = self._get(run_id, principal)
        return run.info(), run.states

    def watch(self, run_id: str, principal: str | None, on_ready: Callable[[], None]) -> AsyncIterator[str | None]:
        """Yield the stages that change from now on, None for the run itself, until the run has ended."""
        return self._get(run_id, principal).watch(on_ready)

    async def artifacts(self, run_id: str, principal: str | None) -> Artifacts:
        """Return the artifacts of a run that has ended."""
        response = self._get(run_id, principal).response
        return response.artifacts if response else Artifacts()

    async def metadata(self, run_id: str, principal: str | None) -> Mapping[str, JsonValue]:
        """Return the data that the caller stored with a run."""
        return self._get(run_id, principal).metadata

    async def log(
        self, run_id: str, principal: str | None, stage: str, first: int | None = None, count: int = 200
    ) -> LogPart:
        """Return lines of a stage's log."""
        return self._get(run_id, principal).log(stage, first, count)

    async def cancel(self, run_id: str, principal: str | None) -> RunInfo:
        """Cancel a run."""
        run = self._get(run_id, principal)
        run.cancellation.request()
        return run.info()

    async def list_runs(
        self,
        principal: str | None,
        status: RunState | None,
        pipeline: str | None,
        application: str | None,
        limit: int,
    ) -> list[RunInfo]:
        """Return the newest runs that match, newest first."""
        infos = (run.info() for run in reversed(self._runs.values()) if run.principal == principal)
        matches = (run for run in infos if status in (None, run.status) and pipeline in (None, run.pipeline))
        matches = (run for run in matches if run.concerns(application))
        return list(islice(matches, limit))

    async def stop(self) -> None:
        """Cancel all runs and wait for their clean-up."""
        for run_id in self._active:
            self._runs[run_id].cancellation.request()
        while self._active:  # noqa: ASYNC110 - rare and short
            await anyio.sleep(_STOP_POLLING)

    async def release(self) -> None:
        """Cancel all runs: they cannot outlive the process."""
        await self.stop()

    def _get(self, run_id: str, principal: str | None) -> MemoryRun:
        run = self._runs.get(run_id)
        if run is None or run.principal != principal:
            raise run_not_found(run_id)
        return run

    def _keep(self, run: MemoryRun) -> None:
        self._runs[run.request.id] = run
        surplus = max(0, len(self._runs) - _RUNS_KEPT)
        ended = [run_id for run_id in self._runs if run_id not in self._active and run_id != run.request.id]
        for run_id in ended[:surplus]:
            del self._runs[run_id]
