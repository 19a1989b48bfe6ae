"""How the stages of a run stand at this moment, made from its events; alike for runs in memory and in the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from container_kit.pipelines.events import Event, EventKind
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import StageResult, StageStatus

StageState = Literal["waiting", "running", "retrying", "undoing", "undo_failed"] | StageStatus
"""`waiting` has not begun; `retrying` waits for its next attempt; the others are as in a result."""

_GOING_ON = frozenset({"running", "retrying", "undoing"})
_PLAINLY: dict[EventKind, StageState] = {
    "stage_skipped": "skipped",
    "stage_previewed": "previewed",
    "stage_rolling_back": "undoing",
    "stage_rolled_back": "rolled_back",
    "rollback_failed": "undo_failed",
}
_RETRIES_KEPT = 20


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage, as it stands."""

    name: str
    state: StageState = "waiting"
    attempts: int = 0
    started: float | None = None
    """When its first attempt began, in seconds since the epoch."""
    seconds: float | None = None
    """How long it took; None while it has not ended."""
    message: str = ""
    """The newest line that it told."""
    retries: tuple[str, ...] = ()
    """Why it was tried again, once for each attempt that failed."""

    def ended_as(self, result: StageResult | None) -> StageProgress:
        """The same stage after the run's end, with what its result says; an approval point has none."""
        if result is None:
            left: dict[StageState, StageState] = {"waiting": "not_run", "running": "cancelled"}
            return replace(self, state=left.get(self.state, self.state))
        known: dict[str, Any] = {"state": "undo_failed" if self.state == "undo_failed" else result.status}
        if result.attempts:
            known |= {"attempts": result.attempts, "seconds": result.seconds}
        if result.notes:
            known["message"] = "; ".join(result.notes)
        return replace(self, **known)


class StageStates:
    """The stages of one run. Pass it the run's events in order.

    Args:
        names: Its stages.
        approvals: Its approval points.
    """

    def __init__(self, names: Iterable[str], approvals: Iterable[str] = ()) -> None:
        self._names = tuple(names)
        self._stages = {name: StageProgress(name=name) for name in (*self._names, *approvals)}
        self._results: dict[str, StageResult] = {}
        self.seq = 0
        """The number of the newest event that was taken, where events are numbered."""

    @classmethod
    def of(cls, pipeline: Plan) -> StageStates:
        """The stages and approval points of a pipeline, before anything is heard."""
        approvals = (approval.name for here in pipeline.approvals.values() for approval in here)
        return cls((step.name for step in pipeline.steps()), approvals)

    def take(self, event: Event) -> None:
        """Take note of an event."""
        stage = self._stages.get(event.stage or "")
        if stage is None or event.stage is None:
            return
        known = _change(stage, event)
        if known:
            self._stages[event.stage] = replace(stage, **known)
        if event.fault is not None and event.kind == "stage_failed":
            self._results[event.stage] = StageResult(name=event.stage, status="failed", fault=event.fault)

    def stages(self, ended: Iterable[StageResult] = ()) -> tuple[StageProgress, ...]:
        """The stages as they stand.

        Args:
            ended: The stages' results, once the run has ended.
        """
        results = {result.name: result for result in ended}
        if not results:
            return tuple(self._stages.values())
        return tuple(stage.ended_as(results.get(stage.name)) for stage in self._stages.values())

    def results(self) -> tuple[StageResult, ...]:
        """The stages as results; one that has not ended is `not_run`, with the attempts so far."""
        return tuple(_result(self._stages[name], self._results.get(name)) for name in self._names)


def _result(stage: StageProgress, failed: StageResult | None) -> StageResult:
    going_on = stage.state in _GOING_ON or stage.state in ("waiting", "undo_failed")
    said = stage.state in ("skipped", "previewed", "unchecked") and stage.message
    return StageResult.model_validate(
        {
            "name": stage.name,
            "status": "not_run" if going_on else stage.state,
            "attempts": stage.attempts,
            "seconds": stage.seconds or 0.0,
            "fault": failed.fault if failed else None,
            "notes": (stage.message,) if said else (),
        }
    )


def _change(stage: StageProgress, event: Event) -> dict[str, Any]:
    """The fields of a stage that an event sets."""
    told: dict[str, Any] = {"message": event.message}
    ended = told | {"attempts": event.attempt, "seconds": event.seconds or 0.0}
    match event.kind:
        case "stage_started":
            started = stage.started or event.time
            return {"state": "running", "attempts": event.attempt, "started": started, "message": ""}
        case "stage_progress":
            return told
        case "stage_retrying":
            return told | {"state": "retrying", "retries": (*stage.retries, event.message)[-_RETRIES_KEPT:]}
        case "approval_requested":
            return told | {"state": "running", "started": event.time}
        case "stage_succeeded":
            return ended | {"state": "success"}
        case "stage_failed":
            cancelled = event.fault is not None and event.fault.code == "run.cancelled"
            return ended | {"state": "cancelled" if cancelled else "failed"}
        case "approval_resolved":
            return told | {"state": "success" if event.message.startswith("approved") else "failed"}
        case _ if event.kind in _PLAINLY:
            return told | {"state": _PLAINLY[event.kind]}
        case _:
            return {}
