"""How stages stand, from their events."""

from __future__ import annotations

from typing import Any

from container_kit import Fault
from container_kit.pipelines.events import Event, EventKind
from container_kit.pipelines.request import StageResult
from container_kit.pipelines.runs.stage_states import StageStates


def event(kind: EventKind, stage: str = "build", **facts: Any) -> Event:
    return Event(kind=kind, run_id="r", pipeline="p", time=facts.pop("time", 100.0), progress=0.5, stage=stage, **facts)


def after(*events: Event) -> StageStates:
    live = StageStates(["build", "scan"], ["consent"])
    for one in events:
        live.take(one)
    return live


def test_a_stage_that_has_not_begun_waits_and_has_no_result_yet() -> None:
    live = after()
    assert [(stage.name, stage.state) for stage in live.stages()] == [
        ("build", "waiting"), ("scan", "waiting"), ("consent", "waiting"),
    ]  # fmt: skip
    assert [(result.name, result.status) for result in live.results()] == [("build", "not_run"), ("scan", "not_run")]


def test_attempts_are_counted_from_the_first_start_and_say_why_they_failed() -> None:
    live = after(
        event("stage_started", time=100.0),
        event("stage_retrying", message="no network; trying again in 1.0 s"),
        event("stage_started", attempt=2, time=103.0),
        event("stage_progress", message="step 1/4"),
    )
    build = live.stages()[0]
    assert (build.state, build.attempts, build.started, build.message) == ("running", 2, 100.0, "step 1/4")
    assert build.retries == ("no network; trying again in 1.0 s",)


def test_a_failure_keeps_its_fault_and_a_cancelled_sibling_is_no_failure() -> None:
    fault = Fault(code="build.step_failed", message="no")
    live = after(
        event("stage_failed", attempt=2, seconds=3.5, message="no", fault=fault),
        event("stage_failed", "scan", fault=Fault(code="run.cancelled", message="sibling")),
    )
    assert [stage.state for stage in live.stages()][:2] == ["failed", "cancelled"]
    build, scan = live.results()
    assert (build.status, build.attempts, build.seconds, build.fault) == ("failed", 2, 3.5, fault)
    assert scan.status == "cancelled"


def test_undoing_and_an_answer_that_is_waited_for_are_seen() -> None:
    live = after(
        event("approval_requested", "consent", message="deploy to production?"),
        event("stage_rolling_back"),
    )
    build, _, consent = live.stages()
    assert (build.state, consent.state, consent.message) == ("undoing", "running", "deploy to production?")
    live.take(event("approval_resolved", "consent", message="refused by ann: no"))
    live.take(event("rollback_failed", message="stuck"))
    ended = live.stages([StageResult(name="build", status="success", attempts=1, seconds=2.0)])
    assert [stage.state for stage in ended] == ["undo_failed", "not_run", "failed"]
