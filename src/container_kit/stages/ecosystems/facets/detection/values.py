"""Typed values out of parsed documents, whose content may be anything."""

from __future__ import annotations

from typing import Any


def table_in(data: Any, key: str) -> dict[str, Any]:
    """Return the table below a key; empty if it does not exist."""
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, dict) else {}


def strings_in(value: Any) -> list[str]:
    """Return the strings of a list; empty if it is not a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []
