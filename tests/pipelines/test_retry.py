"""The delays of the retry policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_kit import Fault, RetryPolicy, WiringError
from support.pipelines.toy_stages import burnt, cold


def test_delays_grow_by_the_multiplier_up_to_the_cap() -> None:
    policy = RetryPolicy.exponential(max_attempts=6, initial_delay=1, max_delay=5, multiplier=2, jitter=0)
    assert [policy.delay_after(attempt, cold()) for attempt in range(1, 7)] == [1, 2, 4, 5, 5, None]


def test_by_default_only_a_retryable_fault_is_retried() -> None:
    policy = RetryPolicy(max_attempts=2)
    assert policy.delay_after(1, burnt()) is None
    assert policy.delay_after(1, cold()) is not None


def test_should_retry_decides() -> None:
    policy = RetryPolicy(max_attempts=2, should_retry=lambda fault: fault.code.startswith("bread."))
    assert policy.delay_after(1, burnt()) is not None
    assert policy.delay_after(1, cold()) is None


def test_a_fault_can_require_a_longer_delay() -> None:
    fault = cold().model_copy(update={"retry_after": 60.0})
    assert RetryPolicy(max_attempts=2, initial_delay=1, max_delay=2).delay_after(1, fault) == 60


@given(st.integers(1, 50), st.floats(0, 10), st.floats(0, 100), st.floats(1, 5), st.floats(0, 1))
def test_a_delay_stays_within_the_jitter_of_its_cap(
    attempt: int, initial: float, cap: float, multiplier: float, jitter: float
) -> None:
    policy = RetryPolicy(max_attempts=100, initial_delay=initial, max_delay=cap, multiplier=multiplier, jitter=jitter)
    delay = policy.delay_after(attempt, Fault(code="x.y", message="", retryable=True))
    assert delay is not None
    assert 0 <= delay <= cap * (1 + jitter)


@pytest.mark.parametrize("bad", [{"max_attempts": 0}, {"initial_delay": -1}, {"multiplier": 0.5}, {"jitter": 2}])
def test_numbers_out_of_range_are_rejected(bad: dict[str, float]) -> None:
    with pytest.raises(WiringError):
        RetryPolicy(**bad)  # type: ignore[arg-type]
