"""Parsing of documents: JSON with comments, TOML, YAML and XML from untrusted trees, each bounded."""

from __future__ import annotations

import json
import tomllib
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from container_kit.stages.contract import expressions as re

# An unclosed comment or string matches to the end too, so that the search goes over a text once.
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"?|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA = re.compile(r'"(?:[^"\\\n]|\\.)*"?|,(?=\s*[}\]])')
_PAIR = re.compile(r'"([^"\\\n]{1,200})"\s*:\s*"([^"\\\n]{0,1000})"')
_YAML_NODES = 50_000
_TOML_PARTS = 2_000


class Malformed(Exception):
    """A document that its parser rejects; `value` is the part that could be read."""

    def __init__(self, reason: str, line: int | None = None, value: Any = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.value = value


def parse_json(text: str) -> Any:
    """Parse JSON; comments and trailing commas, as `tsconfig.json` and `deno.jsonc` have them, are accepted."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except ValueError as strict:
        try:
            return json.loads(_without_comments(text))
        except (ValueError, RecursionError):
            line = getattr(strict, "lineno", None)
            raise Malformed(f"not JSON: {getattr(strict, 'msg', strict)}", line) from strict


def parse_strict_json(text: str) -> Any:
    """Parse JSON as package managers do, which reject comments and trailing commas.

    Raises:
        Malformed: The text is not valid; with the value if only those are wrong.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        value = parse_json(text)
        reason = "not JSON: comments or trailing commas, which package managers refuse"
        raise Malformed(reason, getattr(error, "lineno", None), value) from error


def _without_comments(text: str) -> str:
    text = _STRING_OR_COMMENT.sub(lambda m: m[0] if m[0].startswith('"') else "", text)
    return _TRAILING_COMMA.sub(lambda m: m[0] if m[0].startswith('"') else "", text)


def salvage_pairs(text: str) -> dict[str, str]:
    """Extract the `"name": "text"` pairs of broken JSON: enough to recognise dependencies and scripts."""
    return {m[1]: m[2] for m in _PAIR.finditer(text)}


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML."""
    for line, content in enumerate(text.splitlines(), start=1):
        if content.count(".") > _TOML_PARTS and max(part.count(".") for part in content.split("=")) > _TOML_PARTS:
            raise Malformed("refused: a key of too many parts", line)  # the parser takes quadratic time in their number
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"line (\d+)", str(error))
        raise Malformed(f"not TOML: {error}", int(found[1]) if found else None) from error


def parse_xml(text: str) -> Element:
    """Parse XML without namespaces; entities and external references are rejected."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(re.sub(r"^<\?xml[^>]*\?>", "", text.lstrip()), forbid_dtd=False)
    except ParseError as error:
        raise Malformed(f"not XML: {error}", error.position[0]) from error
    except DefusedXmlException as error:
        raise Malformed(f"refused: {type(error).__name__}") from error
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not XML: {error}") from error
    for element in root.iter():
        if isinstance(element.tag, str) and "}" in element.tag:
            element.tag = element.tag.rpartition("}")[2]
    return root


def parse_yaml(text: str) -> list[Any]:
    """Parse a YAML stream to plain values, one per document. Anchors are followed within a limit."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return [_Plain().value(node) for node in yaml.compose_all(text, Loader=loader) if node is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Malformed(f"not YAML: {problem}", mark.line + 1 if mark else None) from error
    except (RecursionError, ValueError) as error:
        raise Malformed("nested too deeply") from error


class _Plain:
    """Converts YAML nodes to plain values and counts them: an alias bomb is rejected, not expanded."""

    def __init__(self) -> None:
        self._left = _YAML_NODES

    def value(self, node: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise Malformed("refused: too many nodes or aliases")
        if node.id == "scalar":
            return _scalar(node)
        if node.id == "sequence":
            return [self.value(item) for item in node.value]
        return self._mapping(node)

    def _mapping(self, node: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, item in node.value:
            made = self.value(item)
            if key.id == "scalar" and key.value == "<<":
                for source in made if isinstance(made, list) else [made]:
                    merged |= source if isinstance(source, dict) else {}
            elif key.id == "scalar":
                own[key.value] = made
        return merged | own


def _scalar(node: Any) -> Any:
    tag = node.tag.rpartition(":")[2]
    if tag == "int" and re.fullmatch(r"-?\d{1,18}", node.value):
        return int(node.value)
    if tag == "bool":
        return node.value.lower() in {"true", "yes", "on"}
    return None if tag == "null" else node.value
