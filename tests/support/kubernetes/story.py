"""A rollout told as a story: watch events in the shape that the recorded streams have.

What is told with it is synthetic: the reasons and messages are those that Kubernetes documents and its source writes.
"""

from __future__ import annotations

import zlib
from typing import Any

from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Diagnosis, Verdict

Json = dict[str, Any]

READINESS = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 3}


class Story:
    """One Deployment, its ReplicaSets and pods; each call says what is seen at second `t`."""

    def __init__(self, *, replicas: int = 1, deadline: int = 30, **diagnosis: Any) -> None:
        self.diagnosis = Diagnosis("web", **diagnosis)
        self.replicas = replicas
        self.deadline = deadline
        self.container: Json = {
            "name": "app",
            "image": "registry.test/web:1",
            "ports": [{"name": "http", "containerPort": 8080}],
            "resources": {"limits": {"memory": "64Mi"}},
        }
        self.pod_spec: Json = {"containers": [self.container]}
        self.generation = 1
        self._counts: dict[str, int] = {}
        self._uids = 0

    def at(self, t: float, kind: str, found: Json, *, deleted: bool = False) -> Verdict | None:
        return self.diagnosis.observe(t, kind, found, deleted=deleted)

    def quiet(self, until: float) -> Verdict | None:
        """Nothing more is seen until then."""
        return self.diagnosis.advance(until)

    def deployment(self, t: float, *, available: int = 0, observed: bool = True, **conditions: Json) -> Verdict | None:
        status: Json = {}
        if observed:
            status = {
                "observedGeneration": self.generation,
                "replicas": self.replicas,
                "updatedReplicas": self.replicas,
                "availableReplicas": available,
                "conditions": [{"type": kind, **said} for kind, said in conditions.items()],
            }
        metadata = {
            "name": "web",
            "uid": "d",
            "generation": self.generation,
            "annotations": {"deployment.kubernetes.io/revision": str(self.generation if observed else 0)},
        }
        spec = {"replicas": self.replicas, "progressDeadlineSeconds": self.deadline, "template": self._template()}
        return self.at(t, "Deployment", {"metadata": metadata, "spec": spec, "status": status})

    def deadline_passes(self, t: float) -> Verdict | None:
        """The controller gives up; what is known within a second of it."""
        self.deployment(
            t,
            Progressing={
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "message": 'ReplicaSet "web-1" has timed out progressing.',
            },
        )
        return self.quiet(t + 1)

    def replica_set(self, t: float, revision: int | None = None, **status: Any) -> Verdict | None:
        revision = revision or self.generation
        metadata = {
            "name": f"web-{revision}",
            "uid": f"rs{revision}",
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"kind": "Deployment", "name": "web", "uid": "d", "controller": True}],
        }
        spec = {"replicas": self.replicas, "template": self._template()}
        return self.at(t, "ReplicaSet", {"metadata": metadata, "spec": spec, "status": status})

    def pod(
        self,
        t: float,
        *,
        name: str = "web-1-a",
        revision: int | None = None,
        node: str | None = "node-1",
        deleting: bool = False,
        init: Json | None = None,
        **status: Any,
    ) -> Verdict | None:
        """A pod with one container; `status` are fields of the container's status, or `unschedulable`, `phase`."""
        revision = revision or self.generation
        metadata: Json = {
            "name": name,
            "uid": name,
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"web-{revision}", "uid": f"rs{revision}"}],
        }
        if deleting:
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        seen: Json = {key: status.pop(key) for key in ("phase", "reason", "message") if key in status}
        if unschedulable := status.pop("unschedulable", None):
            node = None
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unschedulable}
            seen["conditions"] = [condition]
        if status:
            seen["containerStatuses"] = [{"name": "app", "restartCount": 0, **status}]
        if init is not None:
            seen["initContainerStatuses"] = [{"name": "migrate", "restartCount": 0, **init}]
        spec = {**self.pod_spec, **({"nodeName": node} if node else {})}
        return self.at(t, "Pod", {"metadata": metadata, "spec": spec, "status": seen})

    def event(
        self,
        t: float,
        reason: str,
        message: str,
        *,
        about: str = "Pod/web-1-a",
        container: str | None = None,
        at: str | None = None,
        uid: str | None = None,
        again: bool = True,
    ) -> Verdict | None:
        """An Event; the same one again raises its count, as the API does it, unless it is only listed `again`=False."""
        kind, name = about.split("/")
        key = f"{about}{reason}{message}"
        self._counts[key] = self._counts.get(key, 0) + (1 if again else 0)
        regarding = {"kind": kind, "name": name, **({"uid": uid} if uid else {})}
        if container:
            regarding["fieldPath"] = f"spec.containers{{{container}}}"
        found = {
            "metadata": {"name": f"{name}.{zlib.crc32(key.encode()):x}"},
            "reason": reason,
            "message": message,
            "count": self._counts[key],
            "involvedObject": regarding,
            "lastTimestamp": at,
        }
        return self.at(t, "Event", found)

    def begins(self) -> Story:
        """The Deployment is applied; its ReplicaSet and one scheduled pod are there."""
        self.deployment(0.01, observed=False)
        self.replica_set(0.02)
        self.deployment(0.1)
        self.pod(0.1, state={"waiting": {"reason": "ContainerCreating"}})
        return self

    def probe_fails(self, t: float, kind: str, answer: str) -> Verdict | None:
        return self.event(t, "Unhealthy", f"{kind} probe failed: {answer}", container="app")

    def runs(self, t: float, *, ready: bool, **status: Any) -> Verdict | None:
        return self.pod(t, ready=ready, started=True, state={"running": {"startedAt": None}}, **status)

    def becomes_available(self, t: float, **status: Any) -> Verdict | None:
        self.runs(t, ready=True, **status)
        return self.deployment(t, available=self.replicas)

    def _template(self) -> Json:
        labels = {"app": "web", "version": str(self.generation)}
        return {"metadata": {"labels": labels}, "spec": self.pod_spec}


def ended(exit_code: int, reason: str = "Error", message: str = "") -> Json:
    """A container's state after it ended."""
    return {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}
