"""Who asks for a run, and how the asker waits for its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.events import Event, Listener

Ask = Callable[[str, str], Awaitable[ApprovalDecision | None]]
"""Puts a question to a person: the approval point, the question; None where that could not be done."""


class RunDetached(Exception):
    """A stored run goes on, and its asker waits no longer.

    Args:
        run_id: The run.
    """

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} goes on")
        self.run_id = run_id


def _unheard(_: Event) -> None:
    """Nobody listens."""


def _always() -> bool:
    """Whoever cancels a call wants its run stopped."""
    return True


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for a run. By default nobody in particular, who waits to the end and can ask no person."""

    principal: str | None = None
    """Who it is, where callers are told apart."""
    on_event: Listener = _unheard
    """Hears the run's events; it must not block."""
    patience: float | None = None
    """Seconds after which a stored run goes on without being waited for (`RunDetached`); None waits to the end."""
    interactive: bool = False
    """Whether a person can be asked."""
    ask: Ask | None = None
    """Asks that person while the run waits; without it, a stored run that asks is not waited for (`RunDetached`)."""
    cancels_run: Callable[[], bool] = _always
    """Asked when the asker's task is cancelled: whether a stored run is to stop, or to go on all the same."""
    note: Mapping[str, JsonValue] = field(default_factory=dict)
    """Kept with a stored run, to tell its end with later."""
