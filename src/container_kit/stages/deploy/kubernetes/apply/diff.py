"""Describes the changes of an apply, as readable lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_MAX_VALUE = 120
_MAX_LINES = 40
_ITEM_KEYS = ("name", "mountPath", "containerPort", "port", "host", "type")
"""The keys that identify an item of a list."""


def changes(before: Json | None, after: Json) -> list[str]:
    """Return the fields that differ between two manifests of an object. Values of Secrets are hidden.

    Args:
        before: The applied manifest; None for a new object.
        after: The manifest to apply.

    Returns:
        Lines such as `Deployment/web: spec.replicas: 2 → 3`, at most 40.
    """
    name = f"{after['kind']}/{after['metadata']['name']}"
    if before is None:
        return [f"{name}: new"]
    secret = after["kind"] == "Secret"
    lines = [f"{name}: {path}: {_change(old, new, hide=secret)}" for path, old, new in _differing(before, after, "")]
    more = len(lines) - _MAX_LINES
    return [*lines[:_MAX_LINES], f"{name}: {more} more changes"] if more > 0 else lines


def project(live: Json, desired: Json) -> Json:
    """Return the fields of a live object that a manifest sets; the server adds many others."""
    return {
        key: project(live[key], value) if isinstance(value, dict) and isinstance(live[key], dict) else live[key]
        for key, value in desired.items()
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
    """Compare items by their name if all have one; else compare the lists as a whole."""
    by_name = [_by_name(old), _by_name(new)]
    if by_name[0] is None or by_name[1] is None:
        if old != new:
            yield path, old, new
        return
    for key in dict.fromkeys([*by_name[0], *by_name[1]]):
        yield from _differing(by_name[0].get(key, _ABSENT), by_name[1].get(key, _ABSENT), f"{path}[{key}]")


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    for key in _ITEM_KEYS:
        names = [str(item[key]) for item in items if isinstance(item, dict) and key in item]
        if len(names) == len(items) == len(set(names)):
            return dict(zip(names, items, strict=True))
    return None


def _change(old: Any, new: Any, *, hide: bool) -> str:
    if old is _ABSENT:
        return f"added {_format(new, hide=hide)}"
    if new is _ABSENT:
        return f"removed (was {_format(old, hide=hide)})"
    return f"{_format(old, hide=hide)} → {_format(new, hide=hide)}"


def _format(value: Any, *, hide: bool) -> str:
    text = "(hidden)" if hide else str(value)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"
