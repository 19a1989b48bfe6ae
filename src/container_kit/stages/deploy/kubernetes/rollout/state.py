"""What the watches of one rollout have shown so far, and which of it belongs to the new revision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from container_kit.stages.deploy.kubernetes.rollout.container import Container, Json, PodEvent, dig

_REVISION = "deployment.kubernetes.io/revision"


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
    events: dict[tuple[str, str], dict[str, PodEvent]] = field(default_factory=dict)
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
        seen = PodEvent(
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

    def events_of(self, kind: str, found: Json) -> tuple[PodEvent, ...]:
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
