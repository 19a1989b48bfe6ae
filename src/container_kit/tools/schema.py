"""JSON schemas that are small enough to be sent to an assistant in every session."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

_NOISE = ("title", "default")


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's arguments: no titles, no `null` alternatives, definitions inlined."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    trimmed: dict[str, Any] = _trimmed(schema, definitions)
    trimmed.pop("description", None)
    return trimmed


def answer_schema(*products: type[BaseModel]) -> dict[str, Any]:
    """The schema of a pipeline tool's answer: how the run went, and each product one level deep."""
    properties: dict[str, Any] = {
        "run": {"type": "string"},
        "status": {"type": "string"},
        "seconds": {"type": "number"},
        "stages": {"type": "array", "items": {"type": "object"}},
    }
    for product in products:
        properties[product_name(product)] = _shallow(product)
    return {"type": "object", "properties": properties, "required": ["run", "status", "stages"]}


def product_name(kind: type[BaseModel]) -> str:
    """The key of an artifact in an answer: its class's name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()


def _shallow(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(mode="serialization")
    definitions = schema.get("$defs", {})
    fields = schema.get("properties", {})
    return {"type": "object", "properties": {name: _type_of(field, definitions) for name, field in fields.items()}}


def _type_of(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    field = _resolved(field, definitions)
    options = [_resolved(option, definitions) for option in field.get("anyOf", ())]
    kinds = _unique(option.get("type") for option in options or [field])
    kinds = [kind for kind in kinds if kind != "null"]  # what is None is left out of an answer
    return {"type": kinds[0]} if len(kinds) == 1 else {}


def _trimmed(value: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_trimmed(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    value = _resolved(value, definitions)
    options = [option for option in value.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        rest = {key: item for key, item in value.items() if key != "anyOf"}
        value = {**_resolved(options[0], definitions), **rest}
    return {
        key: {name: _trimmed(field, definitions) for name, field in item.items()}
        if key == "properties"
        else _trimmed(item, definitions)
        for key, item in value.items()
        if key not in _NOISE or (key == "default" and item not in (None, [], {}))
    }


def _resolved(value: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return value
    rest = {key: item for key, item in value.items() if key != "$ref"}
    return {**definitions[reference.rpartition("/")[2]], **rest}


def _unique(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(item for item in items if item is not None))
