"""One container of a pod as the watches have shown it, and the events about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
"""An object as the Kubernetes API writes it."""


def dig(value: Any, *path: str) -> Any:
    """Follow keys into an object; None where one is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True, slots=True)
class PodEvent:
    """A Kubernetes Event; the API updates one object while the same thing happens again."""

    reason: str
    message: str
    count: int
    field_path: str
    """For example `spec.containers{app}`; empty where the event is about the whole object."""
    order: int
    """Rises with each observation: of two events the higher one was updated later."""
    uid: str = ""
    """That of the object; an earlier object of the same name had another."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod: what was asked for, what it does, and what was told about it."""

    pod: str
    name: str
    init: bool
    """True for an init container that must end before the application starts; a sidecar is none."""
    spec: Json
    status: Json
    pod_spec: Json
    events: tuple[PodEvent, ...]
    pod_events: tuple[PodEvent, ...] = ()
    """Those of the whole pod, its containers' among them."""

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
        """Why it does not run (`ContainerCreating`, `ErrImagePull`, …); empty where it is not waiting."""
        return str(dig(self.status, "state", "waiting", "reason") or "")

    @property
    def waiting_message(self) -> str:
        """The kubelet's words to `waiting`."""
        return str(dig(self.status, "state", "waiting", "message") or "")

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return dig(self.status, "state", "running") is not None

    @property
    def ready(self) -> bool:
        """Whether its readiness was last found good."""
        return bool(self.status.get("ready"))

    @property
    def termination(self) -> Json:
        """How it last ended (`exitCode`, `reason`, `message`); empty where it never did."""
        return dig(self.status, "state", "terminated") or dig(self.status, "lastState", "terminated") or {}

    @property
    def terminations(self) -> int:
        """How often it has ended, the present state included."""
        down = dig(self.status, "state", "terminated") or (self.waiting and self.termination)
        return int(self.status.get("restartCount") or 0) + (1 if down else 0)

    @property
    def ever_started(self) -> bool:
        """Whether any run of it has begun."""
        return self.running or bool(self.termination)

    def latest(self, *reasons: str) -> PodEvent | None:
        """The event with one of these reasons that was updated last."""
        found = [event for event in self.events if event.reason in reasons]
        return max(found, key=lambda event: event.order) if found else None
