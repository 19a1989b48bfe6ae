"""Rules of `.gitignore` files, as gitignore(5) defines them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.glob import STAR, CharacterClass, Token, path_expression

_MAX_RULES = 2000
_MAX_LENGTH = 300
_POSIX = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


class IgnoreRules:
    """The rules of one `.gitignore` file and of the files in the folders above it.

    Args:
        base: The folder of the file relative to the root, with a trailing `/`, or empty for the root.
        text: The content of the file.
        above: The rules of the nearest folder above that has any.
    """

    __slots__ = ("_above", "_base", "_rules")

    def __init__(self, base: str, text: str, above: IgnoreRules | None = None) -> None:
        self._base = base
        self._above = above
        self._rules = _parse(text)

    def ignores(self, path: str, name: str, *, folder: bool) -> bool:
        """Return whether a path is ignored. The last matching rule decides.

        Args:
            path: Relative to the root.
            name: The last part of `path`.
            folder: Whether the path is a folder.
        """
        decision = self._decide(path, name, folder)
        if decision is not None:
            return decision
        return self._above is not None and self._above.ignores(path, name, folder=folder)

    def _decide(self, path: str, name: str, folder: bool) -> bool | None:
        rules = self._rules
        relative = path[len(self._base) :]
        if rules.any_pattern is not None and (
            rules.any_pattern.fullmatch(name) or rules.any_pattern.fullmatch(relative)
        ):
            for rule in reversed(rules.patterns):
                if (folder or not rule.only_folders) and rule.pattern.fullmatch(relative if rule.anchored else name):
                    return rule.ignores
        if name in rules.names or (folder and name + "/" in rules.names):
            return True
        if rules.suffixes and "." in name and name[name.rindex(".") :] in rules.suffixes:
            return True
        return None


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    anchored: bool
    """Whether the pattern is matched against the path and not against the name."""
    only_folders: bool
    ignores: bool
    """False for a rule that re-includes."""


class _Rules(NamedTuple):
    """Plain names (`name`, `name/`) and suffixes (`.log`) are looked up, the other rules are matched in order."""

    names: frozenset[str]
    suffixes: frozenset[str]
    patterns: tuple[_Rule, ...]
    any_pattern: re.Pattern[str] | None
    """Matches if one of `patterns` matches."""


@lru_cache(maxsize=512)
def _parse(text: str) -> _Rules:
    lines = map(_without_trailing_spaces, text.removeprefix("\ufeff").splitlines()[:_MAX_RULES])
    rules = [line for line in lines if line and not line.startswith("#") and len(line) < _MAX_LENGTH]
    ordered = any(rule.startswith("!") for rule in rules)  # a rule that re-includes makes the order matter
    names: set[str] = set()
    suffixes: set[str] = set()
    patterns: list[_Rule] = []
    for rule in rules:
        if not ordered and re.fullmatch(r"[\w.@ -]+/?", rule):
            names.add(rule)
        elif not ordered and re.fullmatch(r"\*\.\w+", rule):
            suffixes.add(rule[1:])
        elif (parsed := _parse_rule(rule)) is not None:
            patterns.append(parsed)
    any_pattern = re.compile("|".join(rule.pattern.pattern for rule in patterns), re.DOTALL) if patterns else None
    return _Rules(frozenset(names), frozenset(suffixes), tuple(patterns), any_pattern)


def _without_trailing_spaces(line: str) -> str:
    """Remove trailing spaces unless a backslash quotes them."""
    line = line.rstrip("\r\n")
    stripped = line.rstrip(" ")
    if stripped != line and (len(stripped) - len(stripped.rstrip("\\"))) % 2:
        return stripped + " "
    return stripped


def _parse_rule(rule: str) -> _Rule | None:
    ignores = not rule.startswith("!")
    rule = rule if ignores else rule[1:]
    only_folders = rule.endswith("/")
    rule = rule.removesuffix("/")
    anchored = "/" in rule
    rule = rule.removeprefix("/")
    if not rule:
        return None
    try:
        expression = path_expression(_split(rule), _tokens)
        return _Rule(re.compile(expression, re.DOTALL), anchored, only_folders, ignores)
    except (re.error, ValueError):
        return None  # git matches nothing with such a rule


def _split(rule: str) -> list[str]:
    """Split a rule at the slashes outside character classes."""
    parts, at = [""], 0
    while at < len(rule):
        end = at + 1
        if rule[at] == "\\":
            end += 1
        elif rule[at] == "[":
            with contextlib.suppress(ValueError):
                _, end = _character_class(rule, end)
        if rule[at] == "/":
            parts.append("")
        else:
            parts[-1] += rule[at:end]
        at = end
    return parts


def _tokens(part: str) -> Sequence[Token]:
    """Split a part of a rule, as git's wildmatch does for a path."""
    tokens: list[Token] = []
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            tokens.append(STAR)
        elif character == "?":
            tokens.append(CharacterClass("[^/]"))
        elif character == "[":
            expression, at = _character_class(part, at)
            tokens.append(CharacterClass(expression))
        elif character == "\\":
            if at == len(part):
                raise ValueError("a trailing backslash")
            tokens.append(part[at])
            at += 1
        else:
            tokens.append(character)
    return tokens


def _character_class(part: str, at: int) -> tuple[str, int]:
    """Translate a class that starts after its `[`; return it with the position after its `]`."""
    negated = part[at : at + 1] in ("!", "^")
    at += negated
    inside, first = "", True
    while True:
        if at >= len(part):
            raise ValueError("a class without an end")
        character = part[at]
        if character == "]" and not first:
            break
        first = False
        if part.startswith("[:", at):
            name, colon, _ = part[at + 2 :].partition(":]")
            if not colon or name not in _POSIX:
                raise ValueError("an unknown class of characters")
            inside += _POSIX[name]
            at += len(name) + 4
            continue
        low, at = _class_member(part, at)
        if part.startswith("-", at) and part[at + 1 : at + 2] not in ("", "]"):
            high, at = _class_member(part, at + 1)
            inside += f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
        else:
            inside += re.escape(low)
    if not inside:
        return ("[^/]" if negated else r"(?!)"), at + 1
    return f"(?!/)[{'^' if negated else ''}{inside}]", at + 1


def _class_member(part: str, at: int) -> tuple[str, int]:
    if part[at] == "\\":
        at += 1
        if at >= len(part):
            raise ValueError("a trailing backslash")
    return part[at], at + 1
