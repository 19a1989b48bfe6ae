"""What an apply would change, as lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_LONGEST = 120
_MOST = 40
_KEYS = ("name", "mountPath", "containerPort", "port", "host", "type")
"""What an item of a list goes by."""


def changes(before: Json | None, after: Json) -> list[str]:
    """The fields that differ between two manifests of one object.

    Values of Secrets are not shown.

    Args:
        before: What is applied now; None for a new object.
        after: What would be applied.

    Returns:
        Lines such as `Deployment/web: spec.replicas: 2 → 3`, at most 40.
    """
    name = f"{after['kind']}/{after['metadata']['name']}"
    if before is None:
        return [f"{name}: new"]
    secret = after["kind"] == "Secret"
    lines = [f"{name}: {path}: {_change(old, new, hide=secret)}" for path, old, new in _differing(before, after, "")]
    left = len(lines) - _MOST
    return [*lines[:_MOST], f"{name}: {left} more changes"] if left > 0 else lines


def like(live: Json, wanted: Json) -> Json:
    """The part of a live object that a manifest speaks of: the server fills in much else."""
    return {
        key: like(live[key], value) if isinstance(value, dict) and isinstance(live[key], dict) else live[key]
        for key, value in wanted.items()
        if key in live
    }


_ABSENT = object()


def _differing(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differing(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _differing_items(old, new, path)
    elif old != new:
        yield path, old, new


def _differing_items(old: list[Any], new: list[Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    """Items are compared by their name where all have one; other lists as a whole."""
    by_name = [_named(old), _named(new)]
    if by_name[0] is None or by_name[1] is None:
        if old != new:
            yield path, old, new
        return
    for key in dict.fromkeys([*by_name[0], *by_name[1]]):
        yield from _differing(by_name[0].get(key, _ABSENT), by_name[1].get(key, _ABSENT), f"{path}[{key}]")


def _named(items: list[Any]) -> dict[str, Any] | None:
    for key in _KEYS:
        names = [str(item[key]) for item in items if isinstance(item, dict) and key in item]
        if len(names) == len(items) == len(set(names)):
            return dict(zip(names, items, strict=True))
    return None


def _change(old: Any, new: Any, *, hide: bool) -> str:
    if old is _ABSENT:
        return f"added {_shown(new, hide=hide)}"
    if new is _ABSENT:
        return f"removed (was {_shown(old, hide=hide)})"
    return f"{_shown(old, hide=hide)} → {_shown(new, hide=hide)}"


def _shown(value: Any, *, hide: bool) -> str:
    text = "(hidden)" if hide else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
