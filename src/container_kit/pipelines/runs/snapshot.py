"""A run as tools show it, and how one that is kept in memory comes to be known from its events."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Literal

import anyio
from pydantic import Field

from container_kit.pipelines.events import Event
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, StageResult
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault

RunState = Literal[
    "queued", "running", "waiting", "success", "failed", "rolled_back", "rollback_incomplete", "cancelled"
]
UNFINISHED: frozenset[RunState] = frozenset({"queued", "running", "waiting"})

_LOG_LINES = 2000
_CHANGES_KEPT = 100
"""Changes that wait for a slow listener; what is lost of them is followed by the run's end all the same."""


class RunView(Artifact):
    """One run, as it stands."""

    id: str
    pipeline: str
    status: RunState
    created: float
    """Seconds since the epoch."""
    updated: float
    progress: float = 0.0
    """0 to 1."""
    message: str = ""
    """The newest line that the run told."""
    stage: str | None = None
    stages: tuple[StageResult, ...] = ()
    fault: Fault | None = None
    questions: dict[str, str] = Field(default_factory=dict)
    """What it asks a person while it waits, by approval point."""
    retry_of: str | None = None
    rolls_back: str | None = None

    @property
    def question(self) -> str | None:
        """The first question that waits."""
        return next(iter(self.questions.values()), None)

    @property
    def finished(self) -> bool:
        """Whether it has ended."""
        return self.status not in UNFINISHED


class LogPart(Artifact):
    """Some lines of a stage's log."""

    lines: tuple[str, ...]
    first: int
    """The number of the first line given; 1 is the oldest that is still kept."""
    total: int
    """How many lines are kept."""


class MemoryRun:
    """What is kept of a run that is in no store. Pass it as a listener of the run.

    Args:
        caller: Who asked for it.
    """

    def __init__(self, pipeline: Plan, request: PipelineRequest, principal: str | None, now: float) -> None:
        self.principal = principal
        self.request = request
        self.response: PipelineResponse | None = None
        self._view = RunView(id=request.id, pipeline=pipeline.name, status="running", created=now, updated=now)
        self.live = StageStates.of(pipeline)
        self._logs: dict[str, deque[str]] = {}
        self._hearers: set[Callable[[str | None], None]] = set()

    def view(self) -> RunView:
        """The run as it stands."""
        stages = self.response.stages if self.response else self.live.results()
        return self._view.model_copy(update={"stages": stages})

    def log(self, stage: str, first: int | None, count: int) -> LogPart:
        """Lines of a stage's log; None for `first` means the last ones."""
        return log_part(tuple(self._logs.get(stage, ())), first, count)

    def logged_stages(self) -> tuple[str, ...]:
        """The stages that have a log."""
        return tuple(self._logs)

    async def changes(self, begun: Callable[[], None]) -> AsyncIterator[str | None]:
        """The stages that something is told of from now on, None for the run itself, until it has ended.

        Args:
            begun: Called when nothing that changes is missed any more.
        """
        heard: deque[str | None] = deque(maxlen=_CHANGES_KEPT)
        news = [anyio.Event()]

        def hear(stage: str | None) -> None:
            heard.append(stage)
            news[0].set()

        self._hearers.add(hear)
        begun()
        try:
            while heard or self._view.status in UNFINISHED:
                if not heard:
                    news[0] = anyio.Event()
                    await news[0].wait()
                yield heard.popleft()
        finally:
            self._hearers.discard(hear)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        self._take(event)
        for hear in tuple(self._hearers):
            hear(event.stage)

    def _take(self, event: Event) -> None:
        if event.kind == "stage_output":
            self._logs.setdefault(event.stage or "", deque(maxlen=_LOG_LINES)).append(event.message)
            return
        self.live.take(event)
        known: dict[str, object] = {
            "updated": event.time,
            "progress": event.progress,
            "stage": event.stage or self._view.stage,
        }
        if event.message:
            known["message"] = event.message
        if event.kind == "run_finished":
            known |= {"status": event.status, "fault": event.fault, "stage": None}
        self._view = self._view.model_copy(update=known)


def log_part(lines: tuple[str, ...], first: int | None, count: int) -> LogPart:
    """Cut a range of lines out of a log."""
    begin = max(0, len(lines) - count) if first is None else max(0, first - 1)
    return LogPart(lines=lines[begin : begin + count], first=begin + 1, total=len(lines))
