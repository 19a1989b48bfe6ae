"""Placeholders in next actions: values that only a person or the repository knows. Tools refuse them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from container_kit.stages.contract import expressions as re

_PLACEHOLDER = re.compile(r"<(?:the )?value of [^<>]{1,200}>|…|\.\.\.")


def placeholder(name: str) -> str:
    """Return the placeholder for the value of a variable."""
    return f"<value of {name}>"


def find_placeholders(value: JsonValue, path: str = "") -> Iterator[str]:
    """Yield the paths of the placeholders in arguments, for example `env.API_KEY`."""
    if isinstance(value, str):
        if _PLACEHOLDER.fullmatch(value.strip()):
            yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from find_placeholders(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from find_placeholders(item, path)
