"""What our field manager had applied to an object: read back from the object's own record, `managedFields`.

The format is FieldsV1 of server-side apply: `f:NAME` is a field, `k:{…}` the item of a list with these keys, `v:…` an
item of a set, `.` the thing itself.
"""

from __future__ import annotations

import json
from typing import Any

from container_kit.stages.deploy.kubernetes.cluster.api import FIELD_MANAGER

Json = dict[str, Any]


def applied_by_us(live: Json) -> Json | None:
    """The manifest that we applied last, so that applying it again restores it; None where we applied nothing."""
    owned: Json = {}
    for entry in live["metadata"].get("managedFields") or []:
        ours = entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
        if ours and not entry.get("subresource"):
            owned = entry.get("fieldsV1") or {}
    if not owned:
        return None
    manifest = _taken(live, owned)
    return {**(manifest if isinstance(manifest, dict) else {}), **identity(live, manifest)}


def identity(live: Json, manifest: Any = None) -> Json:
    """The bare object: applying it alone gives up every field that we own."""
    metadata = dict(manifest.get("metadata") or {}) if isinstance(manifest, dict) else {}
    metadata["name"] = live["metadata"]["name"]
    if "namespace" in live["metadata"]:
        metadata["namespace"] = live["metadata"]["namespace"]
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def _taken(value: Any, owned: Json) -> Any:
    """The part of a value that a set of fields names."""
    below = {key: inner for key, inner in owned.items() if key != "."}
    if not below:
        return value
    if isinstance(value, dict):
        named = {key.removeprefix("f:"): inner for key, inner in below.items() if key.startswith("f:")}
        return {key: _taken(value[key], inner) for key, inner in named.items() if key in value}
    if isinstance(value, list):
        return [_taken(item, inner) for item, inner in _items(value, below)]
    return value


def _items(value: list[Any], below: Json) -> list[tuple[Any, Json]]:
    """The items of a list that are owned, in the list's order, each with its fields."""
    keys = [(json.loads(key[2:]), inner) for key, inner in below.items() if key.startswith("k:")]
    members = [json.loads(key[2:]) for key in below if key.startswith("v:")]
    found: list[tuple[Any, Json]] = []
    for item in value:
        if item in members:
            found.append((item, {}))
        for key, inner in keys:
            if isinstance(item, dict) and all(item.get(name) == wanted for name, wanted in key.items()):
                found.append((item, inner))
    return found
