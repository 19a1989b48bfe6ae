"""The record of a run in memory, built from the run's events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import anyio

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Event
from container_kit.pipelines.execution.runtime import CancelToken
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse
from container_kit.pipelines.run_info import LogPart, RunInfo
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.stages.contract.fault import StageFailure

_LOG_LINES = 2000
_CHANGES_KEPT = 100
"""Changes that are buffered for a slow watcher. It may miss older ones, but never the end of the run."""


class MemoryRun:
    """One run in memory. Pass it to the run as a listener.

    Args:
        caller: The caller.
    """

    def __init__(self, plan: Plan, request: PipelineRequest, caller: Caller) -> None:
        now = time.time()
        self.plan = plan
        self.request = request
        self.principal = principal = caller.principal
        self.metadata = dict(caller.metadata)
        self.cancellation = CancelToken()
        self.response: PipelineResponse | None = None
        self.states = StageStates.of(plan)
        self._info = RunInfo(
            id=request.id,
            pipeline=plan.name,
            status="running",
            created=now,
            updated=now,
            principal=principal,
            subject=_subject(plan, request),
        )
        self._logs: dict[str, deque[str]] = {}
        self._watchers: set[Callable[[str | None], None]] = set()

    def info(self) -> RunInfo:
        """Return the current state of the run."""
        stages = self.response.stages if self.response else self.states.results()
        return self._info.model_copy(update={"stages": stages, "response": self.response})

    def log(self, stage: str, first: int | None, count: int) -> LogPart:
        """Return lines of a stage's log; None for `first` means the last lines."""
        return LogPart.of(tuple(self._logs.get(stage, ())), first, count)

    async def watch(self, on_ready: Callable[[], None]) -> AsyncIterator[str | None]:
        """Yield the stages that change from now on, None for the run itself, until the run has ended."""
        changes: deque[str | None] = deque(maxlen=_CHANGES_KEPT)
        changed = anyio.Event()

        def notify(stage: str | None) -> None:
            changes.append(stage)
            changed.set()

        self._watchers.add(notify)
        on_ready()
        try:
            while changes or not self._info.finished:
                if not changes:
                    changed = anyio.Event()
                    await changed.wait()
                yield changes.popleft()
        finally:
            self._watchers.discard(notify)

    def __call__(self, event: Event) -> None:
        """Apply an event and notify the watchers."""
        self._apply(event)
        for notify in tuple(self._watchers):
            notify(event.stage)

    def _apply(self, event: Event) -> None:
        if event.kind == "stage_output":
            self._logs.setdefault(event.stage or "", deque(maxlen=_LOG_LINES)).append(event.message)
            return
        self.states.apply(event)
        changes: dict[str, object] = {
            "updated": event.time,
            "progress": event.progress,
            "stage": event.stage or self._info.stage,
        }
        if event.message:
            changes["message"] = event.message
        if event.kind == "run_finished":
            changes |= {"status": event.status, "fault": event.fault, "stage": None}
        self._info = self._info.model_copy(update=changes)


def _subject(plan: Plan, request: PipelineRequest) -> dict[str, str]:
    with suppress(StageFailure):  # the run itself reports an input that is not valid
        return Artifacts(plan.parse_input(request)).run_subject()
    return {}
