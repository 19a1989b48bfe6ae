"""JSON schemas, small enough to be part of every session's context."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel

from container_kit.stages.contract import expressions as re

_OMITTED = frozenset({"title", "exclusiveMinimum", "minimum", "maximum"})
"""Keywords that are left out. A fault names a bound when an argument exceeds it."""
_OMITTED_DEFAULTS: tuple[Any, ...] = (None, [], {}, False, ".")
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
    """Return the schema of a tool's arguments without titles, `null` alternatives and references."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    trimmed: dict[str, Any] = _trim(schema, definitions)
    for key in ("description", "additionalProperties"):  # a fault reports unknown arguments
        trimmed.pop(key, None)
    return trimmed


def result_schema(main: type[BaseModel] | None = None, *others: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of the result of a pipeline tool: the run, its stages and the artifacts.

    Args:
        main: The artifact that the tool is called for, listed with its required fields.
        others: Further artifacts, listed without fields; the tools made for them list those.
    """
    properties: dict[str, Any] = {
        "run": {"type": "string"},
        "stages": {"type": "array"},
    }
    if main is not None:
        properties[result_key(main)] = _shallow_schema(main)
    properties |= {result_key(kind): {"type": "object"} for kind in others}
    return {"type": "object", "properties": properties, "required": ["run", "stages"]}


def result_key(kind: type[BaseModel]) -> str:
    """Return the key of an artifact in a result: its class name in snake_case, without the suffix `Result`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__.removesuffix("Result")).lower()


def sbom_uri(run_id: str) -> str:
    """Return the URI of the resource that holds the SBOM of a run."""
    return f"run://{run_id}/sbom"


def _shallow_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return a schema of the required fields. It is read from annotations, since full schemas slow the start."""
    required = {name: field.annotation for name, field in model.model_fields.items() if field.is_required()}
    return {"type": "object", "properties": {name: _json_type(kind) for name, kind in required.items()}}


def _json_type(annotation: Any) -> dict[str, Any]:
    origin = typing.get_origin(annotation) or annotation
    if origin is typing.Literal:
        return _json_type(type(typing.get_args(annotation)[0]))
    if isinstance(origin, type) and issubclass(origin, BaseModel):
        return {"type": "object"}
    return {"type": _JSON_TYPES[origin]} if origin in _JSON_TYPES else {}


def _trim(value: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_trim(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    value = _without_null(_resolve(value, definitions), definitions)
    return {
        key: _trim_keyword(key, item, definitions)
        for key, item in value.items()
        if key not in _OMITTED
        and not (key == "default" and item in _OMITTED_DEFAULTS)
        and not (key == "type" and "enum" in value)
    }


def _trim_keyword(key: str, value: Any, definitions: dict[str, Any]) -> Any:
    if key == "properties":
        return {name: _trim(field, definitions) for name, field in value.items()}
    trimmed = _trim(value, definitions)
    return True if key == "additionalProperties" and trimmed == {} else trimmed  # some validators reject {}


def _without_null(value: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Replace `anyOf` of one type and null by that type."""
    options = [option for option in value.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) != 1:
        return value
    rest = {key: item for key, item in value.items() if key != "anyOf"}
    return {**_resolve(options[0], definitions), **rest}


def _resolve(value: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref")
    if not isinstance(reference, str):
        return value
    rest = {key: item for key, item in value.items() if key != "$ref"}
    return {**definitions[reference.rpartition("/")[2]], **rest}
