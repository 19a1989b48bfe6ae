"""JSON schemas that are small enough to be sent to an assistant in every session."""

from __future__ import annotations

import re
import typing
from typing import Any

from pydantic import BaseModel

_NOISE = frozenset({"title", "exclusiveMinimum", "minimum", "maximum"})
"""What a model need not know beforehand: bounds are told in a fault if they are ever overstepped."""
_PLAIN_DEFAULTS: tuple[Any, ...] = (None, [], {}, False, ".")


_JSON_TYPES: dict[Any, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    tuple: "array",
    list: "array",
    dict: "object",
}


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


def sbom_uri(run_id: str) -> str:
    """The resource that holds the bill of materials that a run made."""
    return f"run://{run_id}/sbom"


def _shallow(model: type[BaseModel]) -> dict[str, Any]:
    """The fields that it always has; read from the annotations, for a whole schema would be built at every start."""
    always = {name: field.annotation for name, field in model.model_fields.items() if field.is_required()}
    return {"type": "object", "properties": {name: _json_type(kind) for name, kind in always.items()}}


def _json_type(annotation: Any) -> dict[str, Any]:
    origin = typing.get_origin(annotation) or annotation
    if origin is typing.Literal:
        return _json_type(type(typing.get_args(annotation)[0]))
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return {"type": "object"}
    return {"type": _JSON_TYPES[origin]} if origin in _JSON_TYPES else {}


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
        else _any_if_empty(_trimmed(item, definitions))
        if key == "additionalProperties"
        else _trimmed(item, definitions)
        for key, item in value.items()
        if key not in _NOISE and not (key == "default" and item in _PLAIN_DEFAULTS)
    }


def _any_if_empty(schema: Any) -> Any:
    """Any value at all, in the spelling that validators want."""
    return True if schema == {} else schema


def _resolved(value: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return value
    rest = {key: item for key, item in value.items() if key != "$ref"}
    return {**definitions[reference.rpartition("/")[2]], **rest}
