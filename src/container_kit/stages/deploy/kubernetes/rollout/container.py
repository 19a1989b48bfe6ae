"""A container of a pod, with the events about it, as observed by the watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""An object of the Kubernetes API."""


def dig(value: Any, *path: str) -> Any:
    """Return the value at a path of keys; None if one is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True, slots=True)
class PodEvent:
    """A Kubernetes Event; the API updates the same object for repetitions."""

    reason: str
    message: str
    count: int
    field_path: str
    """For example `spec.containers{app}`; empty if the event is about the whole object."""
    order: int
    """Increases with each observation: of two events, the higher one was updated later."""
    uid: str = ""
    """The object's uid; an earlier object of the same name had another."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod: its specification, its status and its events."""

    pod: str
    name: str
    init: bool
    """True for an init container that must exit before the application starts, unlike a sidecar."""
    spec: Json
    status: Json
    pod_spec: Json
    events: tuple[PodEvent, ...]
    pod_events: tuple[PodEvent, ...] = ()
    """All events of the pod, including its containers'."""

    @property
    def where(self) -> str:
        """`pod/NAME container/NAME`."""
        return f"pod/{self.pod} container/{self.name}"

    @property
    def image(self) -> str:
        """The reference in the pod's specification."""
        return str(self.spec.get("image", ""))

    @property
    def waiting(self) -> str:
        """Why it is waiting (`ContainerCreating`, `ErrImagePull`, …); empty if it is not."""
        return str(dig(self.status, "state", "waiting", "reason") or "")

    @property
    def waiting_message(self) -> str:
        """The kubelet's message for `waiting`."""
        return str(dig(self.status, "state", "waiting", "message") or "")

    @property
    def running(self) -> bool:
        """Whether it is running."""
        return dig(self.status, "state", "running") is not None

    @property
    def ready(self) -> bool:
        """Whether it was ready at its last probe."""
        return bool(self.status.get("ready"))

    @property
    def termination(self) -> Json:
        """Its last termination (`exitCode`, `reason`, `message`); empty if it never terminated."""
        return dig(self.status, "state", "terminated") or dig(self.status, "lastState", "terminated") or {}

    @property
    def terminations(self) -> int:
        """The number of its terminations, including the current one."""
        terminated = dig(self.status, "state", "terminated") or (self.waiting and self.termination)
        return int(self.status.get("restartCount") or 0) + (1 if terminated else 0)

    @property
    def ever_started(self) -> bool:
        """Whether it has ever started."""
        return self.running or bool(self.termination)

    def latest(self, *reasons: str) -> PodEvent | None:
        """Return the event with one of these reasons that was updated last."""
        matching = [event for event in self.events if event.reason in reasons]
        return max(matching, key=lambda event: event.order, default=None)
