"""The observed state of a rollout, and the part of it that belongs to the new revision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from container_kit.stages.deploy.kubernetes.rollout.container import Container, Json, PodEvent, dig

_REVISION = "deployment.kubernetes.io/revision"


@dataclass(slots=True)
class RolloutState:
    """The objects of one Deployment's rollout, as last observed."""

    name: str | None = None
    """The Deployment's name; None uses the first one observed."""
    since: datetime | None = None
    """The time of the apply; events that were last updated earlier are ignored."""
    deployment: Json = field(default_factory=dict)
    replica_sets: dict[str, Json] = field(default_factory=dict)
    pods: dict[str, Json] = field(default_factory=dict)
    slices: dict[str, Json] = field(default_factory=dict)
    services: dict[str, Json] = field(default_factory=dict)
    events: dict[tuple[str, str], dict[str, PodEvent]] = field(default_factory=dict)
    """By (kind, name) of the involved object, then by the event's name."""
    _order: int = 0

    def store(self, kind: str, obj: Json, *, deleted: bool = False) -> None:
        """Store an observed object; other kinds are ignored."""
        name = str(dig(obj, "metadata", "name") or "")
        if kind == "Event":
            self._store_event(name, obj)
        elif kind == "Deployment":
            if self.name in (None, name):
                self.name = name
                self.deployment = {} if deleted else obj
        else:
            self._store_object(kind, name, obj, deleted=deleted)

    def _store_object(self, kind: str, name: str, obj: Json, *, deleted: bool) -> None:
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
            store[name] = obj

    def _store_event(self, name: str, obj: Json) -> None:
        if self.since is not None and (at := _last_time(obj)) is not None and before(at, self.since):
            return
        about = obj.get("involvedObject") or obj.get("regarding") or {}
        known = self.events.setdefault((str(about.get("kind")), str(about.get("name"))), {})
        event = PodEvent(
            reason=str(obj.get("reason") or ""),
            message=str(obj.get("message") or obj.get("note") or ""),
            count=int(obj.get("count") or dig(obj, "series", "count") or 1),
            field_path=str(about.get("fieldPath") or ""),
            order=self._order + 1,
            uid=str(about.get("uid") or ""),
        )
        if name in known and replace(known[name], order=event.order) == event:
            return  # listed again after an expired watch
        self._order += 1
        known[name] = event

    def events_of(self, kind: str, obj: Json) -> tuple[PodEvent, ...]:
        """Return the events about an object, unordered, without those of an earlier object of the same name."""
        uid = str(dig(obj, "metadata", "uid") or "")
        about = self.events.get((kind, str(dig(obj, "metadata", "name"))), {}).values()
        return tuple(event for event in about if not event.uid or not uid or event.uid == uid)

    @property
    def observed(self) -> bool:
        """Whether the Deployment's status is about its current specification."""
        generation = dig(self.deployment, "status", "observedGeneration") or 0
        return bool(self.deployment) and generation >= (dig(self.deployment, "metadata", "generation") or 1)

    @property
    def replica_set(self) -> Json:
        """The ReplicaSet of the new revision; empty if it does not exist yet.

        Until the controller has observed a new specification, the Deployment still has the old revision number. The
        ReplicaSet is then found by its pod template, as the controller does it.
        """
        template = pod_template(self.deployment)
        revision = dig(self.deployment, "metadata", "annotations", _REVISION) if self.observed else None
        for obj in self.replica_sets.values():
            if not is_owned(obj, self.deployment):
                continue
            if revision is not None and dig(obj, "metadata", "annotations", _REVISION) == revision:
                return obj
            if revision is None and pod_template(obj) == template:
                return obj
        return {}

    def current_pods(self) -> list[Json]:
        """Return the pods of the new revision that are not being deleted."""
        owner = self.replica_set
        return [
            pod
            for pod in self.pods.values()
            if owner and is_owned(pod, owner) and not dig(pod, "metadata", "deletionTimestamp")
        ]

    def old_pods_terminating(self) -> bool:
        """Return whether pods of an older revision are terminating, which will free their resources."""
        older = [obj for obj in self.replica_sets.values() if obj is not self.replica_set]
        return any(
            dig(pod, "metadata", "deletionTimestamp") and any(is_owned(pod, owner) for owner in older)
            for pod in self.pods.values()
        )

    def containers(self) -> Iterator[Container]:
        """Yield the containers of the new revision's pods, init containers first."""
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
        """Return the number of terminations of the new revision's containers."""
        return sum(container.terminations for container in self.containers() if not container.init)

    def condition(self, kind: str) -> Json:
        """Return a condition of the Deployment, if it is about the current specification."""
        if self.observed:
            for obj in dig(self.deployment, "status", "conditions") or []:
                if obj.get("type") == kind:
                    return dict(obj)
        return {}

    @property
    def complete(self) -> bool:
        """Whether every replica is of the new revision and available, and no old one is left."""
        if not self.observed:
            return False
        status = self.deployment.get("status") or {}
        replicas = dig(self.deployment, "spec", "replicas")
        desired = 1 if replicas is None else int(replicas)
        counts = {int(status.get(key) or 0) for key in ("updatedReplicas", "replicas", "availableReplicas")}
        return counts == {desired}


def is_owned(obj: Json, owner: Json) -> bool:
    """Return whether an object is controlled by `owner`."""
    uid = dig(owner, "metadata", "uid")
    references = dig(obj, "metadata", "ownerReferences") or []
    return uid is not None and any(reference.get("uid") == uid for reference in references)


def pod_template(obj: Json) -> Json:
    """Return the pod template without the label that the controller adds."""
    template = dict(dig(obj, "spec", "template") or {})
    metadata = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != "pod-template-hash"}
    annotations = metadata.get("annotations") or {}
    return {**template, "metadata": {"labels": labels, "annotations": annotations}}


def before(at: datetime, since: datetime) -> bool:
    """Return whether `at`, which has whole seconds, is certainly earlier than `since`."""
    return at < since.replace(microsecond=0)


def _last_time(event: Json) -> datetime | None:
    return read_time(
        event.get("lastTimestamp")
        or dig(event, "series", "lastObservedTime")
        or event.get("eventTime")
        or dig(event, "metadata", "creationTimestamp")
    )


def read_time(text: Any) -> datetime | None:
    """Parse an RFC 3339 time of the API; None if it is missing or invalid."""
    try:
        time = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
