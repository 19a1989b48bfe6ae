"""The objects of the emulated API: versions, watches, and the checks that the real one makes on what it is given."""

from __future__ import annotations

import asyncio
import copy
import re
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio
import jsonschema
import kubernetes_validate

from support.kubernetes import server_side_apply as ssa
from support.kubernetes.schema import validator

Json = dict[str, Any]
Key = tuple[str, str, str]
"""Plural, namespace, name."""

KINDS: dict[str, dict[str, tuple[str, bool]]] = {
    "v1": {
        "Namespace": ("namespaces", False), "Pod": ("pods", True), "Service": ("services", True),
        "ServiceAccount": ("serviceaccounts", True), "Event": ("events", True), "Secret": ("secrets", True),
        "ConfigMap": ("configmaps", True), "ResourceQuota": ("resourcequotas", True),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
    },
    "apps/v1": {
        "Deployment": ("deployments", True), "ReplicaSet": ("replicasets", True), "StatefulSet": ("statefulsets", True),
    },
    "networking.k8s.io/v1": {
        "Ingress": ("ingresses", True), "NetworkPolicy": ("networkpolicies", True),
        "IngressClass": ("ingressclasses", False),
    },
    "autoscaling/v2": {"HorizontalPodAutoscaler": ("horizontalpodautoscalers", True)},
    "policy/v1": {"PodDisruptionBudget": ("poddisruptionbudgets", True)},
    "discovery.k8s.io/v1": {"EndpointSlice": ("endpointslices", True)},
}  # fmt: skip


class Refused(Exception):
    """An answer of 400 or above."""

    def __init__(self, status: int, reason: str, message: str, causes: list[Json] | None = None) -> None:
        super().__init__(message)
        self.status = status
        details = {"causes": causes} if causes else {}
        self.body = {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
            "details": details, "code": status,
        }  # fmt: skip


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Store:
    """All objects, and the history that watches read."""

    objects: dict[Key, Json] = field(default_factory=dict)
    history: list[tuple[int, str, Key, Json]] = field(default_factory=list)
    version: int = 100
    oldest: int = 0
    """Watches from before it are told 410 Gone."""
    changed: anyio.Event = field(default_factory=anyio.Event)
    loop: asyncio.AbstractEventLoop | None = None
    """The server's."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Tests change objects too, from another thread than the server's."""

    def put(self, key: Key, found: Json) -> Json:
        """Store an object as it is; what does not change keeps its version."""
        with self.lock:
            return self._put(key, found)

    def _put(self, key: Key, found: Json) -> Json:
        old = self.objects.get(key)
        metadata = found["metadata"]
        metadata.setdefault("uid", old["metadata"]["uid"] if old else str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", old["metadata"]["creationTimestamp"] if old else now())
        if old is not None and _plain(old) == _plain(found):
            return old
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        self.objects[key] = found
        self._tell("MODIFIED" if old else "ADDED", key, found)
        return found

    def delete(self, key: Key) -> Json:
        """Delete an object and, as the garbage collector does, what it owns."""
        with self.lock:
            return self._delete(key)

    def _delete(self, key: Key) -> Json:
        found = self.objects.pop(key)
        self.version += 1
        gone = copy.deepcopy(found)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell("DELETED", key, gone)
        uid = found["metadata"]["uid"]
        owned = [k for k, o in self.objects.items() if _owned_by(o, uid)]
        for other in owned:
            if other in self.objects:
                self._delete(other)
        return gone

    def compact(self) -> None:
        """Forget the history, so that every watch is too old."""
        with self.lock:
            self.version += 1
            self.oldest = self.version
            self.history.clear()
            self._wake()

    def _tell(self, kind: str, key: Key, found: Json) -> None:
        self.history.append((self.version, kind, key, copy.deepcopy(found)))
        self._wake()

    def _wake(self) -> None:
        before, self.changed = self.changed, anyio.Event()
        if self.loop is not None:
            self.loop.call_soon_threadsafe(before.set)

    def apply(self, key: Key, wanted: Json, manager: str, *, force: bool, dry_run: bool) -> tuple[Json, bool]:
        """Server-side apply; gives the object and whether it is new."""
        live = self.objects.get(key)
        if live is not None and not force and (found := ssa.conflicts(live, wanted, manager)):
            raise _conflict(found)
        merged = ssa.apply(live, wanted, manager)
        if wanted["kind"] == "Deployment":
            merged["spec"].setdefault("replicas", 1)
        if key[1]:
            merged["metadata"]["namespace"] = key[1]
        validate(merged, live)
        if dry_run:
            return merged, live is None
        if live is not None:
            merged["metadata"]["generation"] = live["metadata"].get("generation", 1) + (
                merged.get("spec") != live.get("spec")
            )
        else:
            merged["metadata"]["generation"] = 1
        return self.put(key, merged), live is None

    def update(self, key: Key, wanted: Json, manager: str) -> Json:
        """Replace an object, as PUT and patches do; the status stays."""
        live = self.objects[key]
        version = wanted["metadata"].get("resourceVersion")
        if version is not None and version != live["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified")
        changed = ssa.update(live, wanted, manager)
        for name in ("uid", "creationTimestamp", "generation", "namespace"):
            if name in live["metadata"]:
                changed["metadata"][name] = live["metadata"][name]
        if "status" in live:
            changed["status"] = live["status"]
        validate(changed, live)
        if "generation" in live["metadata"]:
            changed["metadata"]["generation"] += changed.get("spec") != live.get("spec")
        return self.put(key, changed)


def _plain(found: Json) -> Json:
    metadata = {k: v for k, v in found["metadata"].items() if k not in ("resourceVersion", "generation")}
    return {**found, "metadata": metadata}


def _owned_by(found: Json, uid: str) -> bool:
    return any(reference.get("uid") == uid for reference in found["metadata"].get("ownerReferences") or [])


def _conflict(found: list[tuple[str, ssa.Path]]) -> Refused:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{owner}" using apps/v1',
            "field": ssa.dotted(path),
        }
        for owner, path in found
    ]
    word = "conflict" if len(causes) == 1 else "conflicts"
    return Refused(409, "Conflict", f"Apply failed with {len(causes)} {word}: {causes[0]['message']}", causes)


def validate(found: Json, live: Json | None) -> None:
    """Schema, names, quantities and immutable fields: the causes are worded as the API words them."""
    name = found["metadata"]["name"]
    what = f'{found["kind"]} "{name}" is invalid'
    causes = []
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
        causes.append(_cause("FieldValueInvalid", "metadata.name", "a lowercase RFC 1123 subdomain must consist of …"))
    if found["kind"] == "Deployment":
        causes += _deployment_causes(found, live)
    if causes:
        raise Refused(422, "Invalid", what, causes)
    body = {**found, "metadata": {k: v for k, v in found["metadata"].items() if k != "managedFields"}}
    try:
        validator(found["kind"], found["apiVersion"]).validate(body)
    except jsonschema.ValidationError as error:
        path = ".".join(str(part) for part in error.path)
        raise Refused(422, "Invalid", what, [_cause("FieldValueInvalid", path, error.message[:200])]) from error
    except kubernetes_validate.SchemaNotFoundError:
        return


def _deployment_causes(found: Json, live: Json | None) -> list[Json]:
    spec = found["spec"]
    causes = []
    if live is not None and live["spec"].get("selector") != spec.get("selector"):
        causes.append(_cause("FieldValueInvalid", "spec.selector", "field is immutable"))
    labels = spec["template"]["metadata"].get("labels", {})
    if not (spec["selector"].get("matchLabels", {}).items() <= labels.items()):
        causes.append(
            _cause("FieldValueInvalid", "spec.template.metadata.labels", "`selector` does not match template `labels`")
        )
    for index, container in enumerate(spec["template"]["spec"]["containers"]):
        if not container.get("image"):
            causes.append(
                _cause("FieldValueRequired", f"spec.template.spec.containers[{index}].image", "Required value")
            )
    return causes


def _cause(reason: str, path: str, message: str) -> Json:
    return {"reason": reason, "field": path, "message": message}
