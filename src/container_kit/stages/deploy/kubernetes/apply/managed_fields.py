"""Reads the manifest that Container Kit applied to an object from its `managedFields`.

The format is FieldsV1 of server-side apply: `f:NAME` is a field, `k:{…}` a list item with these keys, `v:…` an item
of a set, `.` the value itself.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import FIELD_MANAGER, KubernetesApi
from container_kit.stages.docker import labels

Json = dict[str, Any]

_WRITE_ATTEMPTS = 10


def last_applied(live: Json) -> Json | None:
    """Return the manifest that was applied last; applying it again restores it. None if nothing was applied."""
    owned: Json = {}
    for entry in live["metadata"].get("managedFields") or []:
        if _is_ours(entry, "Apply"):
            owned = entry.get("fieldsV1") or {}
    if not owned:
        return None
    manifest = _owned_part(live, owned)
    return {**(manifest if isinstance(manifest, dict) else {}), **identity(live, manifest)}


def identity(live: Json, manifest: Any = None) -> Json:
    """Return the bare object; applying it gives up all owned fields."""
    metadata = dict(manifest.get("metadata") or {}) if isinstance(manifest, dict) else {}
    metadata["name"] = live["metadata"]["name"]
    if "namespace" in live["metadata"]:
        metadata["namespace"] = live["metadata"]["namespace"]
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def last_change(live: Json) -> str:
    """Describe the last change of an object's content: its manager, its time, and its run if it was one of ours."""
    entries = [e for e in live["metadata"].get("managedFields") or [] if not e.get("subresource")]
    if not entries:
        return "changed since"
    # of several changes in one second, that of somebody else is the one to name
    last = max(
        entries,
        key=lambda entry: (str(entry.get("time") or ""), not str(entry.get("manager", "")).startswith(FIELD_MANAGER)),
    )
    run = (live["metadata"].get("annotations") or {}).get(labels.RUN)
    by_run = f", run {run}" if run and str(last.get("manager", "")).startswith(FIELD_MANAGER) else ""
    return f"changed by {last.get('manager')} at {last.get('time') or 'an unknown time'}{by_run}"


async def adopt_updates(api: KubernetesApi, path: str) -> Json:
    """Record the pod template that Container Kit has written by a patch as applied, and return the object.

    The next apply then removes the fields that it no longer sets. An object that was never applied stays as it is.

    Raises:
        StageFailure: A fault of the API.
    """
    for _ in range(_WRITE_ATTEMPTS - 1):
        with suppress(StageFailure):  # its controller wrote the status in between
            return await _adopt_updates(api, path)
    return await _adopt_updates(api, path)


async def _adopt_updates(api: KubernetesApi, path: str) -> Json:
    live = await api.get(path)
    entries = live["metadata"].get("managedFields") or []
    applied = next((e for e in entries if _is_ours(e, "Apply")), None)
    updates = [e for e in entries if _is_ours(e, "Update") and "f:template" in (e["fieldsV1"].get("f:spec") or {})]
    if applied is None or not updates:
        return live
    for entry in updates:
        spec = entry["fieldsV1"]["f:spec"]
        _merge_fields(applied["fieldsV1"], {"f:spec": {"f:template": spec.pop("f:template")}})
        if not spec:
            del entry["fieldsV1"]["f:spec"]
    live["metadata"]["managedFields"] = [entry for entry in entries if entry["fieldsV1"]]
    return await api.replace(path, live)


def _is_ours(entry: Json, operation: str) -> bool:
    ours = entry.get("manager") == FIELD_MANAGER and entry.get("operation") == operation
    return ours and not entry.get("subresource") and isinstance(entry.get("fieldsV1"), dict)


def _merge_fields(fields: Json, more: Json) -> None:
    for key, inner in more.items():
        _merge_fields(fields.setdefault(key, {}), inner)


def _owned_part(value: Any, owned: Json) -> Any:
    """Return the part of a value that a set of fields covers."""
    below = {key: inner for key, inner in owned.items() if key != "."}
    if not below:
        return value
    if isinstance(value, dict):
        named = {key.removeprefix("f:"): inner for key, inner in below.items() if key.startswith("f:")}
        return {key: _owned_part(value[key], inner) for key, inner in named.items() if key in value}
    if isinstance(value, list):
        return [_owned_part(item, inner) for item, inner in _items(value, below)]
    return value


def _items(value: list[Any], below: Json) -> list[tuple[Any, Json]]:
    """Return the owned items of a list, in order, each with its fields."""
    keys = [(json.loads(key[2:]), inner) for key, inner in below.items() if key.startswith("k:")]
    members = [json.loads(key[2:]) for key in below if key.startswith("v:")]
    owned: list[tuple[Any, Json]] = []
    for item in value:
        if item in members:
            owned.append((item, {}))
        for key, inner in keys:
            if isinstance(item, dict) and all(item.get(name) == value for name, value in key.items()):
                owned.append((item, inner))
    return owned
