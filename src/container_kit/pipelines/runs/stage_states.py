"""The current states of a run's stages, computed from the run's events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from container_kit.pipelines.events import Event, EventKind
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import StageResult, StageStatus

StageState = Literal["pending", "running", "retrying", "rolling_back", "rollback_failed"] | StageStatus
"""`pending` has not started; `retrying` waits for its next attempt; the others are as in a result."""

_WITHOUT_RESULT: frozenset[StageState] = frozenset(
    {"pending", "running", "retrying", "rolling_back", "rollback_failed"}
)
_STATE_OF: dict[EventKind, StageState] = {
    "stage_skipped": "skipped",
    "stage_previewed": "previewed",
    "stage_rolling_back": "rolling_back",
    "stage_rolled_back": "rolled_back",
    "rollback_failed": "rollback_failed",
}
_RETRIES_KEPT = 20


@dataclass(frozen=True, slots=True)
class StageProgress:
    """The current state of one stage or approval point."""

    name: str
    state: StageState = "pending"
    attempts: int = 0
    started: float | None = None
    """Start of the first attempt, in seconds since the epoch."""
    seconds: float | None = None
    """Duration; None until the stage ends."""
    message: str = ""
    """The newest message."""
    retries: tuple[str, ...] = ()
    """The reasons for retries, one for each failed attempt."""

    def with_result(self, result: StageResult | None) -> StageProgress:
        """Return the stage after the end of the run. Approval points have no result."""
        if result is None:
            final: dict[StageState, StageState] = {"pending": "not_run", "running": "cancelled"}
            return replace(self, state=final.get(self.state, self.state))
        changes: dict[str, Any] = {"state": self.state if self.state == "rollback_failed" else result.status}
        if result.attempts:
            changes |= {"attempts": result.attempts, "seconds": result.seconds}
        if result.notes:
            changes["message"] = "; ".join(result.notes)
        return replace(self, **changes)


class StageStates:
    """The stages of one run. Apply the run's events in order.

    Args:
        names: The stages.
        approvals: The approval points.
    """

    def __init__(self, names: Iterable[str], approvals: Iterable[str] = ()) -> None:
        self._names = tuple(names)
        self._stages = {name: StageProgress(name=name) for name in (*self._names, *approvals)}
        self._failures: dict[str, StageResult] = {}
        self.seq = 0
        """The sequence number of the newest applied event of a stored run."""

    @classmethod
    def of(cls, plan: Plan) -> StageStates:
        """Return the initial states of a plan's stages and approval points."""
        approvals = (approval.name for points in plan.approvals.values() for approval in points)
        return cls((step.name for step in plan.steps()), approvals)

    def apply(self, event: Event) -> None:
        """Apply an event."""
        stage = self._stages.get(event.stage or "")
        if stage is None or event.stage is None:
            return
        changes = _changes(stage, event)
        if changes:
            self._stages[event.stage] = replace(stage, **changes)
        if event.fault is not None and event.kind == "stage_failed":
            self._failures[event.stage] = StageResult(name=event.stage, status="failed", fault=event.fault)

    def stages(self, results: Iterable[StageResult] = ()) -> tuple[StageProgress, ...]:
        """Return the current states of the stages.

        Args:
            results: The results of the stages, if the run has ended.
        """
        by_name = {result.name: result for result in results}
        if not by_name:
            return tuple(self._stages.values())
        return tuple(stage.with_result(by_name.get(stage.name)) for stage in self._stages.values())

    def results(self) -> tuple[StageResult, ...]:
        """Return the stages as results. A stage that has not ended is `not_run`, with its attempts so far."""
        return tuple(_result(self._stages[name], self._failures.get(name)) for name in self._names)


def _result(stage: StageProgress, failure: StageResult | None) -> StageResult:
    has_notes = stage.state in ("skipped", "previewed", "indeterminate") and stage.message
    return StageResult.model_validate(
        {
            "name": stage.name,
            "status": "not_run" if stage.state in _WITHOUT_RESULT else stage.state,
            "attempts": stage.attempts,
            "seconds": stage.seconds or 0.0,
            "fault": failure.fault if failure else None,
            "notes": (stage.message,) if has_notes else (),
        }
    )


def _changes(stage: StageProgress, event: Event) -> dict[str, Any]:
    """Return the fields of a stage that an event changes."""
    message: dict[str, Any] = {"message": event.message}
    ended = message | {"attempts": event.attempt, "seconds": event.seconds or 0.0}
    match event.kind:
        case "stage_started":
            started = stage.started or event.time
            return {"state": "running", "attempts": event.attempt, "started": started, "message": ""}
        case "stage_progress":
            return message
        case "stage_retrying":
            return message | {"state": "retrying", "retries": (*stage.retries, event.message)[-_RETRIES_KEPT:]}
        case "approval_requested":
            return message | {"state": "running", "started": event.time}
        case "stage_succeeded":
            return ended | {"state": "success"}
        case "stage_failed":
            cancelled = event.fault is not None and event.fault.code == "run.cancelled"
            return ended | {"state": "cancelled" if cancelled else "failed"}
        case "approval_resolved":
            return message | {"state": "success" if event.message.startswith("approved") else "failed"}
        case _ if event.kind in _STATE_OF:
            return message | {"state": _STATE_OF[event.kind]}
        case _:
            return {}
