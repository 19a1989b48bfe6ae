"""JSON schemas, small enough to be part of every session's context."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from container_kit.stages.contract import expressions as re

_OMITTED = frozenset({"title", "exclusiveMinimum", "minimum", "maximum", "minItems", "maxItems"})
"""Keywords that are left out. A fault names a bound when an argument exceeds it."""
_RARE = "options"
_TEXTS = ("additionalProperties", {"type": "string"})
"""The schema of an object of texts. It is left out: a fault names a value that is not a text."""
_OMITTED_DEFAULTS: tuple[Any, ...] = (None, [], {}, False, ".")


def input_schema(model: type[BaseModel], omitted: Collection[str] = ()) -> dict[str, Any]:
    """Return the schema of a tool's arguments without titles, `null` alternatives and references.

    Args:
        omitted: Names of arguments to leave out.
    """
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    trimmed: dict[str, Any] = _trim(schema, definitions)
    for key in ("description", "additionalProperties"):  # a fault reports unknown arguments
        trimmed.pop(key, None)
    properties = {name: item for name, item in trimmed.get("properties", {}).items() if name not in omitted}
    trimmed["properties"] = dict(sorted(properties.items(), key=lambda item: item[0] == _RARE))  # the rare ones last
    return trimmed


def result_schema(*artifacts: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of the result of a pipeline tool with the first of its artifacts.

    It is short, because the schemas of all tools are part of every session's context.
    """
    properties = {result_key(kind): {"type": "object"} for kind in artifacts[:1]}
    schema: dict[str, Any] = {"type": "object", "required": ["run"]}
    return {**schema, "properties": properties} if properties else schema


def result_key(kind: type[BaseModel]) -> str:
    """Return the key of an artifact in a result: its class name in snake_case, without the suffix `Result`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__.removesuffix("Result")).lower()


def sbom_uri(run_id: str) -> str:
    """Return the URI of the resource that holds the SBOM of a run."""
    return f"run://{run_id}/sbom"


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
        and (key, item) != _TEXTS
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
