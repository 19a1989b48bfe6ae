"""The states of stages, computed from events."""

from __future__ import annotations

from typing import Any

from container_kit import Fault
from container_kit.pipelines.events import Event, EventKind
from container_kit.pipelines.request import StageResult
from container_kit.pipelines.runs.stage_states import StageStates


def make_event(kind: EventKind, stage: str = "build", **facts: Any) -> Event:
    return Event(kind=kind, run_id="r", pipeline="p", time=facts.pop("time", 100.0), progress=0.5, stage=stage, **facts)


def after(*events: Event) -> StageStates:
    states = StageStates(["build", "scan"], ["consent"])
    for event in events:
        states.apply(event)
    return states


def test_a_stage_that_has_not_started_is_pending_without_a_result() -> None:
    states = after()
    assert [(stage.name, stage.state) for stage in states.stages()] == [
        ("build", "pending"), ("scan", "pending"), ("consent", "pending"),
    ]  # fmt: skip
    assert [(result.name, result.status) for result in states.results()] == [("build", "not_run"), ("scan", "not_run")]


def test_a_stage_counts_its_attempts_and_keeps_the_reasons_for_retries() -> None:
    states = after(
        make_event("stage_started", time=100.0),
        make_event("stage_retrying", message="no network; trying again in 1.0 s"),
        make_event("stage_started", attempt=2, time=103.0),
        make_event("stage_progress", message="step 1/4"),
    )
    build = states.stages()[0]
    assert (build.state, build.attempts, build.started, build.message) == ("running", 2, 100.0, "step 1/4")
    assert build.retries == ("no network; trying again in 1.0 s",)


def test_a_failure_keeps_its_fault_and_a_cancelled_sibling_is_not_failed() -> None:
    fault = Fault(code="build.step_failed", message="no")
    states = after(
        make_event("stage_failed", attempt=2, seconds=3.5, message="no", fault=fault),
        make_event("stage_failed", "scan", fault=Fault(code="run.cancelled", message="sibling")),
    )
    assert [stage.state for stage in states.stages()][:2] == ["failed", "cancelled"]
    build, scan = states.results()
    assert (build.status, build.attempts, build.seconds, build.fault) == ("failed", 2, 3.5, fault)
    assert scan.status == "cancelled"


def test_rollback_and_open_approvals_are_states() -> None:
    states = after(
        make_event("approval_requested", "consent", message="deploy to production?"),
        make_event("stage_rolling_back"),
    )
    build, _, consent = states.stages()
    assert (build.state, consent.state, consent.message) == ("rolling_back", "running", "deploy to production?")
    states.apply(make_event("approval_resolved", "consent", message="rejected by ann: no"))
    states.apply(make_event("rollback_failed", message="stuck"))
    ended = states.stages([StageResult(name="build", status="success", attempts=1, seconds=2.0)])
    assert [stage.state for stage in ended] == ["rollback_failed", "not_run", "failed"]
