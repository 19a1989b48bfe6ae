"""The caller of a run, and how long it waits for the run's end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from container_kit.pipelines.approval import Prompt
from container_kit.pipelines.events import Event, Listener


class RunDetached(Exception):
    """A stored run continues without its caller.

    Args:
        run_id: The run.
        approval_key: The key that answers to its questions need.
    """

    def __init__(self, run_id: str, approval_key: str = "") -> None:
        super().__init__(f"run {run_id} continues")
        self.run_id = run_id
        self.approval_key = approval_key


def _ignore(_: Event) -> None:
    """Ignore an event."""


def _always() -> bool:
    """Return that cancelling a call cancels its run."""
    return True


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a run. By default it is anonymous, waits for the end and cannot ask a person."""

    principal: str | None = None
    """The authenticated identity."""
    is_operator: bool = True
    """Whether the caller may change the deployments of other principals."""
    on_event: Listener = _ignore
    """Receives the run's events; it must not block."""
    detach_after: float | None = None
    """Seconds after which a stored run continues without the caller (`RunDetached`); None waits for the end."""
    interactive: bool = False
    """Whether a person can decide at approval points."""
    prompt: Prompt | None = None
    """Asks the person while the run waits; without it, the caller detaches at an approval point (`RunDetached`)."""
    cancels_run: Callable[[], bool] = _always
    """Returns whether cancelling the caller's task also cancels a stored run."""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    """Stored with the run, for a later report of its end."""
