"""Server-side apply for the emulated API: merging by owned fields, conflicts between managers, FieldsV1.

It follows the published rules (Kubernetes documentation, "Server-Side Apply"); of the schema it knows the merge keys of
the lists that applications use, all other lists are atomic.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Path = tuple[str, ...]

_ITEM_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "env": (("name",),),
    "volumes": (("name",),),
    "volumeMounts": (("mountPath",),),
    "imagePullSecrets": (("name",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "conditions": (("type",),),
}
_ATOMIC_MAPS = {"matchLabels", "selector", "scaleTargetRef", "resourceFieldRef", "secretKeyRef", "configMapKeyRef"}
_NOT_OWNED = ({"apiVersion", "kind"}, {"name", "namespace"})


def _key_of(name: str, item: Any) -> str | None:
    for keys in _ITEM_KEYS.get(name, ()):
        if isinstance(item, dict) and keys[0] in item:
            return "k:" + json.dumps({key: item.get(key, "TCP") for key in keys}, separators=(",", ":"))
    return None


def fields_of(value: Any, name: str = "") -> Json:
    """The FieldsV1 set of everything in a value."""
    if isinstance(value, dict) and value and name not in _ATOMIC_MAPS:
        return {f"f:{key}": fields_of(inner, key) for key, inner in value.items()}
    if isinstance(value, list) and value and all(_key_of(name, item) for item in value):
        return {str(_key_of(name, item)): {".": {}, **fields_of(item)} for item in value}
    return {}


def owned_fields(manifest: Json) -> Json:
    """What an applied manifest owns: all but what identifies the object."""
    body = {key: value for key, value in manifest.items() if key not in _NOT_OWNED[0]}
    metadata = {key: value for key, value in body.pop("metadata", {}).items() if key not in _NOT_OWNED[1]}
    if metadata:
        body["metadata"] = metadata
    return fields_of(body)


def leaves(fields: Json, path: Path = ()) -> set[Path]:
    """The paths of a set."""
    found: set[Path] = set()
    for key, inner in fields.items():
        if key != ".":
            below = {k: v for k, v in inner.items() if k != "."}
            found |= leaves(inner, (*path, key)) if below else {(*path, key)}
            if "." in inner:
                found.add((*path, key, "."))
    return found


def _index(holder: Any, key: str) -> int | None:
    wanted = json.loads(key[2:])
    for index, item in enumerate(holder):
        if all(item.get(k, "TCP" if k == "protocol" else None) == v for k, v in wanted.items()):
            return index
    return None


def read(value: Any, path: Path) -> Any:
    """The value at a path; None where there is none."""
    for key in path:
        if key == ".":
            return True
        if key.startswith("f:") and isinstance(value, dict):
            value = value.get(key[2:])
        elif key.startswith("k:") and isinstance(value, list):
            index = _index(value, key)
            value = value[index] if index is not None else None
        else:
            return None
    return value


def remove(value: Any, path: Path) -> None:
    """Take a field or a list's item out of a value; a list or map that is empty then goes too."""
    *above, last = path
    holder = read(value, tuple(above))
    if isinstance(holder, dict):
        holder.pop(last[2:], None)
    elif isinstance(holder, list) and (index := _index(holder, last)) is not None:
        holder.pop(index)
    else:
        return
    if above and not holder:
        remove(value, tuple(above))


def _given_up(mine: set[Path], owned: set[Path], theirs: set[Path]) -> list[Path]:
    """What an apply removes: fields that its manager owned and names no more, if nobody else owns them."""
    gone = mine - owned
    items = [path[:-1] for path in gone if path[-1] == "." and not any(p[: len(path) - 1] == path[:-1] for p in theirs)]
    return [*sorted(items), *sorted(path for path in gone - theirs if path[-1] != ".")]


def merge(live: Any, wanted: Any, name: str = "") -> Any:
    """The live value with what is wanted put over it."""
    if isinstance(live, dict) and isinstance(wanted, dict) and name not in _ATOMIC_MAPS:
        return {**live, **{key: merge(live.get(key), value, key) for key, value in wanted.items()}}
    if isinstance(live, list) and isinstance(wanted, list) and wanted and all(_key_of(name, i) for i in wanted):
        merged = list(live)
        for item in wanted:
            index = _index(merged, str(_key_of(name, item)))
            if index is None:
                merged.append(copy.deepcopy(item))
            else:
                merged[index] = merge(merged[index], item)
        return merged
    return copy.deepcopy(wanted)


def conflicts(live: Json, wanted: Json, manager: str) -> list[tuple[str, Path]]:
    """Fields that another manager owns and the manifest would change, each with that manager."""
    asked = leaves(owned_fields(wanted))
    found: list[tuple[str, Path]] = []
    for entry in live["metadata"].get("managedFields", []):
        if entry["manager"] != manager or entry["operation"] != "Apply":
            both = (path for path in sorted(asked & leaves(entry["fieldsV1"])) if path[-1] != ".")
            found += [(entry["manager"], path) for path in both if read(live, path) != read(wanted, path)]
    return found


def dotted(path: Path) -> str:
    """A path as error causes write it: `.spec.template.spec.containers[name="web"].image`."""
    text = ""
    for key in path:
        if key.startswith("k:"):
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(key[2:]).items()) + "]"
        elif key.startswith("f:"):
            text += f".{key[2:]}"
    return text


def apply(live: Json | None, wanted: Json, manager: str) -> Json:
    """The object after an apply; conflicts were looked for before, or are forced."""
    now: Json = copy.deepcopy(live) if live is not None else {"metadata": {}}
    entries = now["metadata"].pop("managedFields", [])
    mine = next((e for e in entries if e["manager"] == manager and e["operation"] == "Apply"), None)
    others = [e for e in entries if e is not mine]
    fields = owned_fields(wanted)
    owned = leaves(fields)
    theirs = {path for other in others for path in leaves(other["fieldsV1"])}
    for path in _given_up(leaves(mine["fieldsV1"]), owned, theirs) if mine else []:
        remove(now, path)
    forced = {path for owner, path in conflicts({**now, "metadata": {**now["metadata"], "managedFields": others}},
                                                wanted, manager)}  # fmt: skip
    for other in others:
        other["fieldsV1"] = _without(other["fieldsV1"], forced)
    now = merge(now, wanted)
    entry = {"manager": manager, "operation": "Apply", "apiVersion": wanted["apiVersion"], "fieldsType": "FieldsV1",
             "fieldsV1": fields, "time": _time()}  # fmt: skip
    if mine and mine["fieldsV1"] == fields and all(read(live, path) == read(now, path) for path in owned):
        entry["time"] = mine["time"]
    now["metadata"]["managedFields"] = [*[o for o in others if o["fieldsV1"]], *([entry] if fields else [])]
    return now


def _without(fields: Json, gone: set[Path], path: Path = ()) -> Json:
    kept = {}
    for key, inner in fields.items():
        here = (*path, key)
        if here in gone:
            continue
        below = _without(inner, gone, here)
        if below or not inner:
            kept[key] = below
    return kept


def update(live: Json, wanted: Json, manager: str) -> Json:
    """The object after an update: its manager owns what it changed, and nobody what it removed.

    `managedFields` of the update replace those of the object; then only changes of this update are added.
    """
    given = wanted["metadata"].get("managedFields") or live["metadata"].get("managedFields") or []
    entries: list[Json] = copy.deepcopy(given)
    old, new = _content(live), _content(wanted)
    before, after = leaves(owned_fields(old)), leaves(owned_fields(new))
    changed = {path for path in after if path[-1] != "." and read(old, path) != read(new, path)}
    for entry in entries:
        mine = (entry["manager"], entry["operation"]) == (manager, "Update")
        entry["fieldsV1"] = _without(entry["fieldsV1"], (before - after) | (set() if mine else changed))
    if changed:
        mine = next((e for e in entries if (e["manager"], e["operation"]) == (manager, "Update")), None)
        if mine is None:
            mine = {"manager": manager, "operation": "Update", "apiVersion": live["apiVersion"], "fieldsV1": {}}
            entries.append(mine)
        mine["time"] = _time()
        for path in changed:
            fields = mine["fieldsV1"]
            for depth, key in enumerate(path, 1):
                fields = fields.setdefault(key, {})
                if key.startswith("k:") and read(old, path[:depth]) is None:
                    fields["."] = {}
    result = copy.deepcopy(wanted)
    result["metadata"]["managedFields"] = [entry for entry in entries if entry["fieldsV1"]]
    return result


def _time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _content(found: Json) -> Json:
    kept = {key: found["metadata"][key] for key in ("labels", "annotations") if found["metadata"].get(key)}
    return {**{key: value for key, value in found.items() if key != "status"}, "metadata": kept}
