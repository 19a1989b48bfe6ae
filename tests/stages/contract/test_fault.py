"""Faults as data."""

from __future__ import annotations

from container_kit import Evidence, Fault, FaultCode, NextAction

FULL = FaultCode("disk.full", means="No space.", hint="Free {needed} MB.", retryable=True)


def test_a_code_makes_a_failure_with_a_hint_of_this_case() -> None:
    failure = FULL("the disk is full", needed=12, evidence=[Evidence(kind="value", text="0 bytes free")])
    assert failure.fault.hint == "Free 12 MB."
    assert (failure.fault.code, failure.fault.retryable, str(failure)) == (
        "disk.full",
        True,
        "disk.full: the disk is full",
    )


def test_a_fault_survives_a_trip_through_json() -> None:
    fault = FULL("full", needed=1, next_actions=[NextAction(why="less", arguments={"keep": [1, {"a": None}]})]).fault
    assert Fault.model_validate_json(fault.model_dump_json()) == fault
