"""What is reported about a run: one record for runs in memory and runs in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from container_kit.pipelines.request import PipelineResponse, StageResult
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault

RunState = Literal[
    "queued",
    "running",
    "awaiting_approval",
    "success",
    "failed",
    "rolled_back",
    "rollback_incomplete",
    "cancelled",
]
ACTIVE: frozenset[RunState] = frozenset({"queued", "running", "awaiting_approval"})
"""The states of a run that has not ended."""


class RunInfo(Artifact):
    """The current state of one run."""

    id: str
    pipeline: str
    status: RunState
    created: float
    """Seconds since the epoch."""
    updated: float
    progress: float = 0.0
    """0 to 1."""
    message: str = ""
    """The message of the newest event."""
    stage: str | None = None
    stages: tuple[StageResult, ...] = ()
    """Empty in a list of runs."""
    fault: Fault | None = None
    """The reason if the run did not succeed."""
    questions: dict[str, str] = Field(default_factory=dict)
    """The open questions of a run that awaits approval, by approval point."""
    principal: str | None = None
    """The caller that started the run, if callers are authenticated."""
    subject: dict[str, str] = Field(default_factory=dict)
    """What the run is about: `application`, `source`, `module`, `image` or `repository`, as the caller gave them."""
    roots: tuple[str, ...] = ()
    """The folders that the run may read."""
    approval_digest: str = ""
    """The digest of the key that answers to its questions need."""
    retry_of: str | None = None
    rolls_back: str | None = None
    recovery_attempts: int = 0
    """How often another process resumed the run after a crash."""
    response: PipelineResponse | None = None
    """None until the run ends, and if no process could run it to its end."""

    @property
    def question(self) -> str | None:
        """The first open question."""
        return next(iter(self.questions.values()), None)

    def concerns(self, application: str | None) -> bool:
        """Return whether the run is about an application, by its name or its folder's; None means any."""
        folder = self.subject.get("source", "").replace("\\", "/").rstrip("/").rpartition("/")[2]
        return application is None or application in (self.subject.get("application"), folder)

    @property
    def finished(self) -> bool:
        """Whether the run has ended."""
        return self.status not in ACTIVE


class LogPart(Artifact):
    """A range of lines of a stage's log."""

    lines: tuple[str, ...]
    first: int
    """The number of the first line in the range; 1 is the oldest line that is kept."""
    total: int
    """How many lines are kept."""

    @classmethod
    def of(cls, lines: Sequence[str], first: int | None, count: int) -> LogPart:
        """Return at most `count` lines from number `first` on, or the last lines if it is None."""
        begin = max(0, len(lines) - count) if first is None else max(0, first - 1)
        return cls(lines=tuple(lines[begin : begin + count]), first=begin + 1, total=len(lines))
