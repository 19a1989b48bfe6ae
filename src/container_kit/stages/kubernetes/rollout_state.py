"""What the watches of one rollout have shown so far, and which of it belongs to the new revision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
"""An object as the Kubernetes API writes it."""

_REVISION = "deployment.kubernetes.io/revision"


def dig(value: Any, *path: str) -> Any:
    """Follow keys into an object; None where one is missing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


@dataclass(frozen=True, slots=True)
class SeenEvent:
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
    events: tuple[SeenEvent, ...]
    pod_events: tuple[SeenEvent, ...] = ()
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

    def latest(self, *reasons: str) -> SeenEvent | None:
        """The event with one of these reasons that was updated last."""
        found = [event for event in self.events if event.reason in reasons]
        return max(found, key=lambda event: event.order) if found else None


@dataclass(slots=True)
class RolloutState:
    """The objects of one Deployment's rollout, as last seen."""

    name: str | None = None
    """The Deployment's name; None takes the first that is seen."""
    since: datetime | None = None
    """The moment of the apply: events that were last updated before it say nothing about this rollout."""
    deployment: Json = field(default_factory=dict)
    replica_sets: dict[str, Json] = field(default_factory=dict)
    pods: dict[str, Json] = field(default_factory=dict)
    slices: dict[str, Json] = field(default_factory=dict)
    services: dict[str, Json] = field(default_factory=dict)
    events: dict[tuple[str, str], dict[str, SeenEvent]] = field(default_factory=dict)
    """By (kind, name) of the object that they are about, then by their own name."""
    _order: int = 0

    def store(self, kind: str, found: Json, *, deleted: bool = False) -> None:
        """Take in one watch event; a kind that says nothing about a rollout is left out."""
        name = str(dig(found, "metadata", "name") or "")
        if kind == "Event":
            self._store_event(name, found)
        elif kind == "Deployment":
            if self.name in (None, name):
                self.name = name
                self.deployment = {} if deleted else found
        else:
            self._store_other(kind, name, found, deleted=deleted)

    def _store_other(self, kind: str, name: str, found: Json, *, deleted: bool) -> None:
        stores = {
            "ReplicaSet": self.replica_sets,
            "Pod": self.pods,
            "EndpointSlice": self.slices,
            "Service": self.services,
        }
        store = stores.get(kind)
        if store is None:
            return
        if deleted:
            store.pop(name, None)
        else:
            store[name] = found

    def _store_event(self, name: str, found: Json) -> None:
        if self.since is not None and (at := _last_time(found)) is not None and before(at, self.since):
            return
        about = found.get("involvedObject") or found.get("regarding") or {}
        known = self.events.setdefault((str(about.get("kind")), str(about.get("name"))), {})
        seen = SeenEvent(
            reason=str(found.get("reason") or ""),
            message=str(found.get("message") or found.get("note") or ""),
            count=int(found.get("count") or dig(found, "series", "count") or 1),
            field_path=str(about.get("fieldPath") or ""),
            order=self._order + 1,
            uid=str(about.get("uid") or ""),
        )
        if name in known and replace(known[name], order=seen.order) == seen:
            return  # listed again by a watch that began anew
        self._order += 1
        known[name] = seen

    def events_of(self, kind: str, found: Json) -> tuple[SeenEvent, ...]:
        """The events about one object, in no particular order; none of an earlier one by the same name."""
        uid = str(dig(found, "metadata", "uid") or "")
        about = self.events.get((kind, str(dig(found, "metadata", "name"))), {}).values()
        return tuple(event for event in about if not event.uid or not uid or event.uid == uid)

    @property
    def observed(self) -> bool:
        """Whether the Deployment's status speaks of its present specification."""
        seen = dig(self.deployment, "status", "observedGeneration") or 0
        return bool(self.deployment) and seen >= (dig(self.deployment, "metadata", "generation") or 1)

    @property
    def replica_set(self) -> Json:
        """The ReplicaSet of the new revision; empty where it is not there yet.

        Until the controller has looked at a new specification the Deployment still bears the old revision's number,
        so the ReplicaSet is then recognised as the controller does it: by its pod template.
        """
        template = _template(self.deployment)
        revision = dig(self.deployment, "metadata", "annotations", _REVISION) if self.observed else None
        for found in self.replica_sets.values():
            if not is_owned(found, self.deployment):
                continue
            if revision is not None and dig(found, "metadata", "annotations", _REVISION) == revision:
                return found
            if revision is None and _template(found) == template:
                return found
        return {}

    def current_pods(self) -> list[Json]:
        """The pods of the new revision that are not being deleted."""
        owner = self.replica_set
        return [
            pod
            for pod in self.pods.values()
            if owner and is_owned(pod, owner) and not dig(pod, "metadata", "deletionTimestamp")
        ]

    def making_room(self) -> bool:
        """Whether pods of an older revision are still going: what they hold becomes free."""
        older = [found for found in self.replica_sets.values() if found is not self.replica_set]
        return any(
            dig(pod, "metadata", "deletionTimestamp") and any(is_owned(pod, owner) for owner in older)
            for pod in self.pods.values()
        )

    def containers(self) -> Iterator[Container]:
        """The containers of the new revision's pods, init containers first."""
        for pod in self.current_pods():
            name = str(dig(pod, "metadata", "name"))
            events = self.events_of("Pod", pod)
            for group, statuses in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
                known = {status.get("name"): status for status in dig(pod, "status", statuses) or []}
                for spec in dig(pod, "spec", group) or []:
                    container = str(spec.get("name"))
                    path = f"{{{container}}}"
                    yield Container(
                        pod=name,
                        name=container,
                        init=group == "initContainers" and spec.get("restartPolicy") != "Always",
                        spec=spec,
                        status=known.get(container, {}),
                        pod_spec=pod.get("spec") or {},
                        events=tuple(event for event in events if event.field_path.endswith(path)),
                        pod_events=events,
                    )

    def restarts(self) -> int:
        """How often containers of the new revision have ended."""
        return sum(container.terminations for container in self.containers() if not container.init)

    def condition(self, kind: str) -> Json:
        """A condition of the Deployment that speaks of the present specification."""
        if self.observed:
            for found in dig(self.deployment, "status", "conditions") or []:
                if found.get("type") == kind:
                    return dict(found)
        return {}

    @property
    def complete(self) -> bool:
        """Whether every replica is of the new revision and available, and none of the old is left."""
        if not self.observed:
            return False
        status = self.deployment.get("status") or {}
        wanted = dig(self.deployment, "spec", "replicas")
        wanted = 1 if wanted is None else int(wanted)
        counts = {int(status.get(key) or 0) for key in ("updatedReplicas", "replicas", "availableReplicas")}
        return counts == {wanted}


def is_owned(found: Json, owner: Json) -> bool:
    """Whether an object's controller is `owner`."""
    uid = dig(owner, "metadata", "uid")
    references = dig(found, "metadata", "ownerReferences") or []
    return uid is not None and any(reference.get("uid") == uid for reference in references)


def _template(found: Json) -> Json:
    """The pod template without the label that the controller adds."""
    template = dict(dig(found, "spec", "template") or {})
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != "pod-template-hash"}
    annotations = metadata.get("annotations") or {}
    return {**template, "metadata": {"labels": labels, "annotations": annotations}}


def before(at: datetime, since: datetime) -> bool:
    """Whether `at`, which the API writes in whole seconds, is certainly earlier than `since`."""
    return at < since.replace(microsecond=0)


def _last_time(event: Json) -> datetime | None:
    return read_time(
        event.get("lastTimestamp")
        or dig(event, "series", "lastObservedTime")
        or event.get("eventTime")
        or dig(event, "metadata", "creationTimestamp")
    )


def read_time(text: Any) -> datetime | None:
    """Read the API's RFC 3339 time; None where there is none."""
    try:
        read = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read is not None and read.tzinfo is None else read
