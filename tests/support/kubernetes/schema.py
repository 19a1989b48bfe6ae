"""The strict schemas of kubernetes-validate, each read once."""

from __future__ import annotations

import functools
from typing import Any

import jsonschema
import kubernetes_validate.utils as schemas
from referencing import Registry, Resource


@functools.cache
def validator(kind: str, api_version: str, version: str = "1.36") -> jsonschema.Draft202012Validator:
    """The validator of a kind.

    Raises:
        kubernetes_validate.SchemaNotFoundError: There is no such kind.
    """
    newest = next(known for known in reversed(schemas.all_versions()) if known.startswith(version))
    folder = f"kubernetes-json-schema/v{newest}-local-strict"
    group, slash, number = api_version.partition("/")
    api = f"{group.split('.')[0]}-{number}" if slash else api_version
    try:
        schema = schemas.schema_contents(f"{folder}/{kind.lower()}-{api}.json", version)
    except FileNotFoundError as error:
        raise schemas.SchemaNotFoundError(kind, version, api_version) from error
    registry: Registry[Any] = Resource.from_contents(schema) @ Registry()
    return jsonschema.Draft202012Validator(schema, registry=_definitions(folder, version) @ registry)


@functools.cache
def _definitions(folder: str, version: str) -> Resource[Any]:
    return Resource.from_contents(schemas.schema_contents(f"{folder}/_definitions.json", version))
