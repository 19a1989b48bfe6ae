"""Runs that are kept in this process alone: those that only read, and dry runs."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence

import anyio

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Listener
from container_kit.pipelines.execution.in_memory import Ask, run_in_memory
from container_kit.pipelines.execution.runtime import CancelToken
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, unknown_run
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.snapshot import LogPart, MemoryRun, RunState, RunView
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.stages.contract.workspace import Workspace

_KEPT = 200


def _asking(asker: Caller) -> Ask | None:
    ask = asker.ask
    if ask is None:
        return None

    async def answered(approval: str, question: str) -> ApprovalDecision:
        return await ask(approval, question) or ApprovalDecision(approved=False, no_approver=True)

    return answered


class MemoryRuns:
    """Runs of this process.

    Args:
        workspace: The folders that runs may read.
        listeners: Hear the events of all runs.
    """

    def __init__(self, workspace: Workspace, listeners: Sequence[Listener] = ()) -> None:
        self._workspace = workspace
        self._listeners = listeners
        self._kept: OrderedDict[str, MemoryRun] = OrderedDict()
        self._cancellations: dict[str, CancelToken] = {}

    async def execute_run(self, pipeline: Plan, request: PipelineRequest, asker: Caller) -> PipelineResponse:
        """Run to the end. Cancelling this task stops the running stage and undoes what the pipeline's kind demands."""
        kept = self._keep(MemoryRun(pipeline, request, asker.principal, time.time()))
        cancellation = self._cancellations[request.id] = CancelToken()
        try:
            kept.response = await run_in_memory(
                pipeline,
                request,
                listeners=[kept, asker.on_event, *self._listeners],
                workspace=self._workspace,
                cancellation=cancellation,
                ask=_asking(asker),
            )
        finally:
            del self._cancellations[request.id]
        return kept.response

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._kept

    def request(self, run_id: str, principal: str | None) -> PipelineRequest:
        """What a run was asked to do.

        Raises:
            StageFailure: `run.unknown`.
        """
        return self._get(run_id, principal).request

    def artifacts(self, run_id: str, principal: str | None) -> Artifacts:
        """What a run has made.

        Raises:
            StageFailure: `run.unknown`.
        """
        response = self._get(run_id, principal).response
        return response.artifacts if response else Artifacts()

    def get(self, run_id: str, principal: str | None) -> RunView:
        """One run.

        Raises:
            StageFailure: `run.unknown`; another caller's run is unknown too.
        """
        return self._get(run_id, principal).view()

    def live(self, run_id: str, principal: str | None) -> tuple[RunView, StageStates]:
        """One run, and how its stages stand.

        Raises:
            StageFailure: `run.unknown`.
        """
        kept = self._get(run_id, principal)
        return kept.view(), kept.live

    async def changes(self, run_id: str, principal: str | None, begun: Callable[[], None]) -> AsyncIterator[str | None]:
        """The stages that change from now on, None for the run itself, until it has ended.

        Raises:
            StageFailure: `run.unknown`.
        """
        async for stage in self._get(run_id, principal).changes(begun):
            yield stage

    def newest(self, principal: str | None, status: RunState | None, pipeline: str | None, limit: int) -> list[RunView]:
        """The newest runs that fit, newest first."""
        views = (kept.view() for kept in reversed(self._kept.values()) if kept.principal == principal)
        fitting = (v for v in views if status in (None, v.status) and pipeline in (None, v.pipeline))
        return [view for view, _ in zip(fitting, range(limit), strict=False)]

    def log(self, run_id: str, principal: str | None, stage: str, first: int | None, count: int) -> LogPart:
        """Lines of a stage's log; None for `first` means the last `count` lines.

        Raises:
            StageFailure: `run.unknown`.
        """
        return self._get(run_id, principal).log(stage, first, count)

    def cancel(self, run_id: str, principal: str | None) -> RunView:
        """Ask a run to stop; one that has ended stays as it is.

        Raises:
            StageFailure: `run.unknown`.
        """
        kept = self._get(run_id, principal)
        if run_id in self._cancellations:
            self._cancellations[run_id].request()
        return kept.view()

    async def stop(self) -> None:
        """Ask all running runs to stop and wait for their clean-up."""
        for cancellation in self._cancellations.values():
            cancellation.request()
        while self._cancellations:  # noqa: ASYNC110 - seldom, and over in a moment
            await anyio.sleep(0.05)

    def _get(self, run_id: str, principal: str | None) -> MemoryRun:
        kept = self._kept.get(run_id)
        if kept is None or kept.principal != principal:
            raise unknown_run(run_id)
        return kept

    def _keep(self, run: MemoryRun) -> MemoryRun:
        self._kept[run.request.id] = run
        ended = [run_id for run_id in self._kept if run_id not in self._cancellations and run_id != run.request.id]
        for run_id in ended[: max(0, len(self._kept) - _KEPT)]:
            del self._kept[run_id]
        return run
