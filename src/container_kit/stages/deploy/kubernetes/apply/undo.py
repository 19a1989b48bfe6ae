"""Undoes an apply: only what it changed, and only if nobody has changed it since.

The cluster is shared. A record of each applied object says what was there before and, as a fingerprint, what the apply
left. An object with another fingerprint was changed by somebody else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from container_kit.stages.artifacts.kubernetes import Applied
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.apply.managed_fields import last_applied, last_change
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.docker import labels

Json = dict[str, Any]

UNDO_SECONDS = 600.0
"""Seconds in which an API server that is away may come back."""
_MAX_PAUSE = 10.0
_WRITE_ATTEMPTS = 10
_KEPT_KINDS = {
    "PersistentVolumeClaim": "it may hold data",
    "PersistentVolume": "it may hold data",
    "CustomResourceDefinition": "objects of its kind may exist",
    "Namespace": "it may hold objects of others",
}
_CONTROLLER_ANNOTATIONS = ("deployment.kubernetes.io/", labels.RUN)


@dataclass(slots=True)
class UndoResult:
    """What an undo did not remove or restore."""

    kept: list[str] = field(default_factory=list)
    """What stays on purpose, with the reason."""
    failures: list[str] = field(default_factory=list)
    """What could not be undone, with the reason."""


def fingerprint(live: Json, *, whole: bool) -> str:
    """Return a digest of an object's content, without what controllers and autoscalers change.

    Args:
        live: The object.
        whole: Include the fields of all managers; otherwise only those that Container Kit applied.
    """
    return _digest(live if whole else last_applied(live) or {})


def _digest(manifest: Json) -> str:
    content = {key: value for key, value in manifest.items() if key not in {"status", "metadata"}}
    if isinstance(content.get("spec"), dict):
        content["spec"] = {key: value for key, value in content["spec"].items() if key != "replicas"}
    metadata = manifest.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    content["labels"] = metadata.get("labels") or {}
    content["annotations"] = {k: v for k, v in annotations.items() if not k.startswith(_CONTROLLER_ANNOTATIONS)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


async def find_changed(api: KubernetesApi, applied: Sequence[Applied]) -> list[str]:
    """Return the objects that were changed since they were applied, each with who changed it and when.

    Raises:
        StageFailure: A fault of the API.
    """
    changed = []
    for item in applied:
        live = None if item.change == "unchanged" else await api.find(await _path(api, item))
        made_again = live is not None and item.change == "created" and live["metadata"].get("uid") != item.uid
        if live is not None and not made_again and not _is_untouched(item, live) and not _is_undone(item, live):
            changed.append(f"{item.kind}/{item.name} ({last_change(live)})")
    return changed


async def undo(
    api: KubernetesApi, applied: Sequence[Applied], on_first_failure: str, *, seconds: float = UNDO_SECONDS
) -> UndoResult:
    """Restore the previous objects, the last change first; a failure does not stop the rest.

    While the API server is away, it is tried again.

    Args:
        api: The connection.
        applied: The changes to undo.
        on_first_failure: What happens to new objects: `delete`, `scale_to_zero` or `keep`.
        seconds: How long to wait for an API server that is away.
    """
    result = UndoResult()
    pending = [item for item in reversed(applied) if item.change != "unchanged"]
    deadline, pause = anyio.current_time() + seconds, 0.5
    while pending:
        item = pending[0]
        try:
            result.kept += await _undo_one(api, item, on_first_failure)
        except StageFailure as failure:
            if _is_transient(failure) and anyio.current_time() + pause < deadline:
                await anyio.sleep(pause)
                pause = min(2 * pause, _MAX_PAUSE)
                continue
            reason = " ".join(evidence.text for evidence in failure.fault.evidence[:3])
            result.failures.append(f"{item.kind}/{item.name}: {reason or failure.fault.message}"[:500])
        pending.pop(0)
    return result


async def _undo_one(api: KubernetesApi, item: Applied, on_first_failure: str) -> list[str]:
    """Undo one change, and return what stays."""
    path, label = await _path(api, item), f"{item.kind}/{item.name}"
    live = await api.find(path)
    if live is not None and _is_undone(item, live):
        return []
    if live is not None and not _is_untouched(item, live):
        return [f"{label} stays as it is: {last_change(live)}"]
    if item.change == "changed" and live is None:
        return [f"{label} stays removed: somebody deleted it"]
    if item.change != "created":
        if item.live is not None and live is not None:
            await _restore(api, path, item.live, live)
        elif item.before is not None:
            await api.apply(_with_live_replicas(item.before, live), path, force=True)
    elif on_first_failure == "delete" and item.kind in _KEPT_KINDS:
        return [f"{label} stays: {_KEPT_KINDS[item.kind]}"] if live is not None else []
    elif on_first_failure == "delete":
        await api.delete(path, uid=item.uid)
    elif on_first_failure == "scale_to_zero" and item.kind == "Deployment":
        await api.merge(path, {"spec": {"replicas": 0}})
    return []


async def _restore(api: KubernetesApi, path: str, recorded: Json, live: Json) -> None:
    """Write the recorded object back, then the owners of its fields.

    A write makes its manager the owner of the fields that it changes. The second write changes no content, so the API
    server takes the recorded owners as they are (Kubernetes documentation, "Server-Side Apply").
    """
    plain = {key: value for key, value in recorded["metadata"].items() if key != "managedFields"}
    live = await _write(api, path, {**recorded, "metadata": plain}, live)
    await _write(api, path, recorded, live)


async def _write(api: KubernetesApi, path: str, obj: Json, live: Json) -> Json:
    """Replace an object, also if its controller writes the status in between."""
    content, attempts = fingerprint(live, whole=True), 0
    while True:
        metadata = {**obj["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
        try:
            return await api.replace(path, {**obj, "metadata": metadata})
        except StageFailure:
            attempts += 1
            live = await api.get(path)
            if attempts == _WRITE_ATTEMPTS or fingerprint(live, whole=True) != content:
                raise


def _with_live_replicas(before: Json, live: Json | None) -> Json:
    """Return the manifest with the live number of replicas: the last to set it owns it."""
    spec = before.get("spec")
    replicas = ((live or {}).get("spec") or {}).get("replicas")
    if before.get("kind") != "Deployment" or not isinstance(spec, dict) or "replicas" not in spec or replicas is None:
        return dict(before)
    return {**before, "spec": {**spec, "replicas": replicas}}


def _is_untouched(item: Applied, live: Json) -> bool:
    """Return whether a live object is as the apply left it. A new object of the same name is not."""
    if item.change == "deleted":
        return False
    if item.uid is not None and live["metadata"].get("uid") != item.uid:
        return False
    return item.after is None or fingerprint(live, whole=item.live is not None) == item.after


def _is_undone(item: Applied, live: Json) -> bool:
    """Return whether a live object is as it was before the apply."""
    before = item.live or item.before
    if before is None or item.change == "created":
        return False
    return fingerprint(live, whole=item.live is not None) == _digest(dict(before))


def _is_transient(failure: StageFailure) -> bool:
    return failure.fault.code in {"kubernetes.unreachable", "kubernetes.busy", "kubernetes.api_error"}


async def _path(api: KubernetesApi, item: Applied) -> str:
    metadata = {"name": item.name, **({"namespace": item.namespace} if item.namespace else {})}
    return await api.path({"apiVersion": item.api_version, "kind": item.kind, "metadata": metadata})
