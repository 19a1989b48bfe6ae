"""The retry policy."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from container_kit.stages.contract.fault import Fault, WiringError


def _if_retryable(fault: Fault) -> bool:
    return fault.retryable


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a failed stage is retried, and after which delay in seconds.

    Raises:
        WiringError: A number is out of range.
    """

    max_attempts: int = 1
    initial_delay: float = 1.0
    max_delay: float = 30.0
    multiplier: float = 2.0
    jitter: float = 0.1
    """The fraction of a delay by which it varies at random, 0 to 1, so that failed runs do not retry in step."""
    should_retry: Callable[[Fault], bool] = _if_retryable

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise WiringError(f"max_attempts must be at least 1, not {self.max_attempts}")
        if self.initial_delay < 0 or self.max_delay < 0 or self.multiplier < 1 or not 0 <= self.jitter <= 1:
            raise WiringError("delays must not be negative, the multiplier at least 1 and the jitter within 0 to 1")

    @classmethod
    def exponential(
        cls,
        max_attempts: int = 3,
        initial_delay: float = 1.0,
        max_delay: float = 30.0,
        multiplier: float = 2.0,
        *,
        jitter: float = 0.1,
        should_retry: Callable[[Fault], bool] = _if_retryable,
    ) -> RetryPolicy:
        """Return a policy whose delay grows by `multiplier` after each attempt, up to `max_delay`."""
        return cls(
            max_attempts=max_attempts,
            initial_delay=initial_delay,
            max_delay=max_delay,
            multiplier=multiplier,
            jitter=jitter,
            should_retry=should_retry,
        )

    def delay_after(self, attempt: int, fault: Fault) -> float | None:
        """Return the seconds to wait after a failed attempt (1 is the first); None means no retry."""
        if attempt >= self.max_attempts or not self.should_retry(fault):
            return None
        delay = min(self.initial_delay * self.multiplier ** (attempt - 1), self.max_delay)
        delay *= 1 + random.uniform(-self.jitter, self.jitter)  # noqa: S311 - not for security
        return max(delay, fault.retry_after or 0.0)
