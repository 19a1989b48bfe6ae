"""Writes and reads YAML that YAML 1.1 and 1.2 parsers interpret alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode

Json = dict[str, Any]

YAML_INVALID = FaultCode(
    "kubernetes.yaml_invalid",
    means="A manifest is not YAML, or not a Kubernetes object.",
    hint="Correct {place}: {rule}.",
)

FAULTS = (YAML_INVALID,)

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9./_-]*")
_AMBIGUOUS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}
"""Words that some parsers read as text and others as another type."""
_MAX_CHARACTERS = 2 * 1024 * 1024
_MAX_NODES = 200_000


def write(documents: Iterable[Json]) -> str:
    """Write documents as one text; keys keep their order, and texts are quoted unless they are unambiguous."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        plain = _PLAIN.fullmatch(value) and value.lower() not in _AMBIGUOUS
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')

    Dumper.add_representer(str, text)
    return str(yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, width=10_000, allow_unicode=False))


def read(content: str, place: str) -> list[Json]:
    """Return the objects in a text; a `List` is expanded.

    Args:
        content: YAML or JSON, with one or more documents.
        place: The file, for faults.

    Raises:
        StageFailure: `kubernetes.yaml_invalid`.
    """
    import yaml

    if len(content) > _MAX_CHARACTERS:
        raise _invalid(place, f"{len(content)} characters", f"at most {_MAX_CHARACTERS} characters in one file")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = [document for document in yaml.load_all(content, Loader=loader) if document is not None]
        for document in documents:
            _count(document, {}, frozenset())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{place}:{mark.line + 1}" if mark else place
        problem = getattr(error, "problem", None) or str(error)
        raise _invalid(where, problem[:500], "it must be valid YAML") from error
    except (ValueError, RecursionError, TypeError) as error:  # an invalid date, a list as a key, too many nodes
        raise _invalid(place, str(error)[:500], "it must be plain YAML") from error
    return [obj for document in documents for obj in _objects(document, place)]


def _count(node: Any, known: dict[int, int], above: frozenset[int]) -> int:
    """Return the number of nodes of a document with its aliases expanded.

    Raises:
        ValueError: There are too many, or an alias contains itself.
    """
    if not isinstance(node, (dict, list)):
        return 1
    if id(node) in above:
        raise ValueError("an alias (*name) that contains itself")
    if id(node) not in known:
        inside = [*node.keys(), *node.values()] if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_count(child, known, above | {id(node)}) for child in inside)
        if known[id(node)] > _MAX_NODES:
            raise ValueError(f"more than {_MAX_NODES} nodes with expanded aliases")
    return known[id(node)]


def _objects(document: Any, place: str) -> list[Json]:
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise _invalid(place, str(document)[:100], "each document needs apiVersion, kind and metadata.name")
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        return [obj for item in document["items"] for obj in _objects(item, place)]
    metadata = document.get("metadata")
    named = isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
    if not isinstance(document.get("apiVersion"), str) or not named:
        raise _invalid(place, document["kind"], "each document needs apiVersion, kind and metadata.name")
    return [document]


def _invalid(place: str, seen: str, rule: str) -> Exception:
    evidence = [Evidence(kind="file", text=seen, where=place)]
    return YAML_INVALID(f"{place} cannot be used: {seen[:200]}", evidence=evidence, place=place, rule=rule)
