"""Edits of configuration text, JSON with comments or TOML, that keep everything else as it is."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import Any

from container_kit.stages.contract import expressions as re

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\r\n]*|/\*(?s:.*?)\*/|[{}\[\],:]|[^\s"{}\[\],:/]+|\s+')
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an object, by the positions of its tokens."""

    key: int
    value: int
    last: int


def parse_json(text: str) -> Any:
    """Parse JSON that may have comments and trailing commas. Empty text is an empty object.

    Raises:
        ValueError: The text is something else.
    """
    texts = [token.text for token in _tokens(text)]
    parts = [part for index, part in enumerate(texts) if not _is_trailing_comma(texts, index)]
    return json.loads(" ".join(parts)) if parts else {}


def add_json(text: str, key: str, name: str, value: Any) -> str:
    """Add a member to the object below a key, and that object if it does not exist."""
    tokens = _tokens(text)
    if not tokens:
        comments = f"{text.rstrip()}\n" if text.strip() else ""
        return comments + json.dumps({key: {name: value}}, indent=2, ensure_ascii=False) + "\n"
    members = _members(tokens, 0)
    if key in members:
        return _insert(text, tokens, members[key].value, name, value)
    return _insert(text, tokens, 0, key, {name: value})


def remove_json(text: str, key: str, name: str) -> str:
    """Remove a member of the object below a key."""
    tokens = _tokens(text)
    member = _members(tokens, _members(tokens, 0)[key].value)[name]
    start, end = tokens[member.key].start, tokens[member.last].end
    if tokens[member.last + 1].text == ",":
        end = tokens[member.last + 1].end
    elif tokens[member.key - 1].text == ",":
        comma = tokens[member.key - 1]
        text = text[: comma.start] + text[comma.end :]
        start, end = start - 1, end - 1
    line = text.rfind("\n", 0, start) + 1
    if not text[line:start].strip() and line:
        start = line - (2 if text[:line].endswith("\r\n") else 1)
    return text[:start] + text[end:]


def add_toml(text: str, key: str, name: str, value: dict[str, Any]) -> str:
    """Append a table."""
    lines = [f"[{key}.{name}]", *(f"{field} = {_toml(item)}" for field, item in value.items())]
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return text + gap + "\n".join(lines) + "\n"


def remove_toml(text: str, key: str, name: str) -> str:
    """Remove a table, its subtables, and nothing above the comments of the next table."""
    header = re.compile(rf'^\s*\[\s*{re.escape(key)}\s*\.\s*"?{re.escape(name)}"?\s*(?:\.[^\]]*)?\]')
    kept: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            inside = header.match(line) is not None
        if not inside or not line.strip() or line.lstrip().startswith("#"):
            kept.append(line)
    return "".join(kept)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: The text is something else.
    """
    return tomllib.loads(text)


def _tokens(text: str) -> list[_Token]:
    """Split JSON into its tokens, without white space and comments."""
    tokens: list[_Token] = []
    position = 0
    for match in _TOKEN.finditer(text):
        if match.start() != position:
            break
        position = match.end()
        if match[0].strip() and not match[0].startswith(("//", "/*")):
            tokens.append(_Token(match[0], match.start(), match.end()))
    if position != len(text):
        raise ValueError(f"line {text.count(chr(10), 0, position) + 1} is not valid JSON")
    return tokens


def _is_trailing_comma(texts: list[str], index: int) -> bool:
    before, after = texts[index - 1 : index], texts[index + 1 : index + 2]
    return texts[index] == "," and after in (["}"], ["]"]) and before not in ([","], ["{"], ["["])


def _members(tokens: list[_Token], opening: int) -> dict[str, _Member]:
    """Return the members of the object that opens at a position. The text has been parsed before."""
    members: dict[str, _Member] = {}
    position = opening + 1
    while tokens[position].text != "}":
        last = _last(tokens, position + 2)
        members[json.loads(tokens[position].text)] = _Member(position, position + 2, last)
        position = last + 1
        if tokens[position].text == ",":
            position += 1
    return members


def _last(tokens: list[_Token], position: int) -> int:
    """Return the position of the last token of the value that starts at a position."""
    depth = 0
    while True:
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(tokens[position].text, 0)
        if not depth:
            return position
        position += 1


def _insert(text: str, tokens: list[_Token], opening: int, name: str, value: Any) -> str:
    """Insert a member at the end of an object, after the comments there."""
    members = list(_members(tokens, opening).values())
    closing = tokens[_last(tokens, opening)].start
    outer = _indent_of(text, tokens[opening].start)
    inner = outer + _INDENT
    if members:
        key = tokens[members[-1].key].start
        line = text.rfind("\n", 0, key) + 1
        inner = inner if text[line:key].strip() or not line else text[line:key]
    newline = "\r\n" if "\r\n" in text else "\n"
    dumped = f"{json.dumps(name)}: {json.dumps(value, indent=2, ensure_ascii=False)}".replace("\n", newline + inner)
    head = text[:closing].rstrip()
    if members and tokens[members[-1].last + 1].text == ",":
        dumped += ","  # the style of the file
    elif members:
        end = tokens[members[-1].last].end
        head = head[:end] + "," + head[end:]
    return f"{head}{newline}{inner}{dumped}{newline}{outer}{text[closing:]}"


def _indent_of(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip())]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)
