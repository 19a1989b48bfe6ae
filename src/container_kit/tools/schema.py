"""JSON schemas that are small enough to be sent to an assistant in every session."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

_NOISE = frozenset({"title", "exclusiveMinimum", "minimum", "maximum"})
"""What a model need not know beforehand: bounds are told in a fault if they are ever overstepped."""
_PLAIN_DEFAULTS: tuple[Any, ...] = (None, [], {}, False, ".")


def input_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a tool's arguments: no titles, no `null` alternatives, definitions inlined."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    trimmed: dict[str, Any] = _trimmed(schema, definitions)
    for known in ("description", "additionalProperties"):  # that unknown arguments are refused is told by a fault
        trimmed.pop(known, None)
    return trimmed


def answer_schema(product: type[BaseModel] | None = None, *more: type[BaseModel]) -> dict[str, Any]:
    """The schema of a pipeline tool's answer: how the run went, and what it made.

    Args:
        product: What it is called for, shown with the fields that it always has.
        more: What else it makes; another tool shows the fields.
    """
    properties: dict[str, Any] = {
        "run": {"type": "string"},
        "stages": {"type": "array"},
    }
    if product is not None:
        properties[product_name(product)] = _shallow(product)
    properties |= {product_name(kind): {"type": "object"} for kind in more}
    return {"type": "object", "properties": properties, "required": ["run", "stages"]}


def product_name(kind: type[BaseModel]) -> str:
    """The key of an artifact in an answer: its class's name in snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()


def _shallow(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(mode="serialization")
    definitions = schema.get("$defs", {})
    fields = schema.get("properties", {})
    always = [name for name, field in model.model_fields.items() if field.is_required()]
    return {"type": "object", "properties": {name: _type_of(fields[name], definitions) for name in always}}


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
        if key not in _NOISE and not (key == "default" and item in _PLAIN_DEFAULTS)
    }


def _resolved(value: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return value
    rest = {key: item for key, item in value.items() if key != "$ref"}
    return {**definitions[reference.rpartition("/")[2]], **rest}


def _unique(items: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(item for item in items if item is not None))
