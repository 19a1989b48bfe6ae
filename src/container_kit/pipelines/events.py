"""Events of a run, for its listeners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault

EventKind = Literal[
    "run_started",
    "stage_started",
    "stage_progress",
    "stage_output",
    "stage_retrying",
    "stage_succeeded",
    "stage_failed",
    "stage_skipped",
    "stage_previewed",
    "approval_requested",
    "approval_resolved",
    "stage_rolling_back",
    "stage_rolled_back",
    "rollback_failed",
    "run_finished",
]


class Event(Artifact):
    """One event of a run, without secrets."""

    kind: EventKind
    run_id: str
    pipeline: str
    time: float
    """Seconds since the epoch."""
    progress: float
    """The completed fraction of the run, 0 to 1; never falls within a run."""
    stage: str | None = None
    attempt: int = 1
    message: str = ""
    """One line of text; for `stage_output` the raw line."""
    seconds: float | None = None
    """The duration of the stage or run that ended; for `stage_retrying` the delay before the next attempt."""
    fault: Fault | None = None
    status: str | None = None
    """The status of the run, for `run_finished`."""


Listener = Callable[[Event], None]
"""Called on the event loop for each event in order. It must not block, and must ignore unknown kinds."""
