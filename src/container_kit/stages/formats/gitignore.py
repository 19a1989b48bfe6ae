"""Rules of `.gitignore` files, as git reads them (https://git-scm.com/docs/gitignore)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from container_kit.stages.formats.pattern_automaton import (
    ANY,
    FOLDERS,
    NOT_SLASH,
    Automaton,
    CharacterSet,
    Piece,
    Repeat,
    State,
)

_MAX_CHARACTERS = 100_000
_MAX_WILDCARDS = 2_000
"""A name can be at each wildcard at the same time, so their number bounds the work for one character."""
_SPECIAL = frozenset("*?[\\")
_SETS = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "blank": (("\t", "\t"), (" ", " ")),
    "cntrl": (("\0", "\x1f"), ("\x7f", "\x7f")),
    "digit": (("0", "9"),),
    "graph": (("!", "~"),),
    "lower": (("a", "z"),),
    "print": ((" ", "~"),),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "space": (("\t", "\n"), ("\r", "\r"), (" ", " ")),
    "upper": (("A", "Z"),),
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
}


class IgnoreRules:
    """The rules of one `.gitignore` file and of the files in the folders above it.

    Rules after the first 100,000 characters or the first 2,000 wildcards of a file are not applied.

    Args:
        base: The folder of the file relative to the root, with a trailing `/`, or empty for the root.
        text: The content of the file.
        above: The rules of the nearest folder above that has any. For the root, those of `.git/info/exclude`, which
            have the same syntax and the lowest precedence.
    """

    __slots__ = ("_above", "_base", "_folder", "_rules")

    def __init__(self, base: str, text: str, above: IgnoreRules | None = None) -> None:
        self._base = base
        self._above = above
        self._rules = _parse(text)
        self._folder = ("", self._rules.automaton.start)
        """The folder of the last path, relative to the base, and the state after it. A walk stays in one folder."""

    def ignores(self, path: str, name: str, *, folder: bool) -> bool:
        """Return whether a path is ignored, if no folder above it is. The last matching rule decides.

        Args:
            path: Relative to the root.
            name: The last part of `path`.
            folder: Whether the path is a folder. A symbolic link is not.
        """
        decision = self._decide(path[len(self._base) : -len(name)], name, folder)
        if decision is not None:
            return decision
        return self._above is not None and self._above.ignores(path, name, folder=folder)

    def _decide(self, parent: str, name: str, folder: bool) -> bool | None:
        known, state = self._folder
        if known != parent:
            state = self._rules.automaton.start.advance(_as_bytes(parent))
            self._folder = (parent, state)
        return self._rules.decide(state.advance(_as_bytes(name)), folder)


class _Rule(NamedTuple):
    pieces: Sequence[Piece]
    only_folders: bool
    ignores: bool
    """False for a rule that re-includes."""


class _Rules:
    def __init__(self, rules: Iterable[_Rule]) -> None:
        self._rules = tuple(rules)
        self.automaton = Automaton(rule.pieces for rule in self._rules)

    def decide(self, state: State, folder: bool) -> bool | None:
        """Return what the last matching rule says; None if no rule matches."""
        accepted = state.accepted
        while accepted:
            number = accepted.bit_length() - 1
            rule = self._rules[number]
            if folder or not rule.only_folders:
                return rule.ignores
            accepted ^= 1 << number
        return None


@lru_cache(maxsize=64)
def _parse(text: str) -> _Rules:
    return _Rules(_read_rules(text.removeprefix("\ufeff")[:_MAX_CHARACTERS].split("\n")))


def _read_rules(lines: Iterable[str]) -> Iterable[_Rule]:
    wildcards = 0
    for line in lines:
        rule = None if line.startswith("#") else _parse_line(line)
        if rule is not None:
            wildcards += sum(not isinstance(piece, str) for piece in rule.pieces[1:])
            if wildcards > _MAX_WILDCARDS:
                return
            yield rule


def _as_bytes(text: str) -> str:
    """Return a text with a character for each byte: git compares bytes, and `?` stands for one."""
    return text if text.isascii() else os.fsencode(text).decode("latin-1")


def _parse_line(line: str) -> _Rule | None:
    rule = _as_bytes(_without_trailing_spaces(line.removesuffix("\r").partition("\0")[0]))
    ignores = not rule.startswith("!")
    rule = rule[not ignores :]
    only_folders = rule.endswith("/")
    rule = rule.removesuffix("/")
    if not rule:
        return None
    try:
        if "/" not in rule:
            return _Rule([FOLDERS, *_read(rule, paths=False)], only_folders, ignores)
        return _Rule(_read(rule.removeprefix("/"), paths=True), only_folders, ignores)
    except _NeverMatchesError:
        return None


def _without_trailing_spaces(line: str) -> str:
    """Remove trailing spaces, except one that a backslash escapes."""
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    if backslashes % 2 == 0:
        return stripped
    return line if len(stripped) == len(line) else f"{stripped} "


class _NeverMatchesError(ValueError):
    """A rule whose syntax is not valid. For git, it matches nothing."""


def _read(rule: str, *, paths: bool) -> list[Piece]:
    """Read a rule.

    Args:
        rule: Without the slash at its start.
        paths: Whether the rule is compared with a path and not with a name. Only then `**` stands for folders.
    """
    pieces: list[Piece] = []
    start = next((at for at, character in enumerate(rule) if character in _SPECIAL), len(rule))
    at = 0
    while at < len(rule):
        character = rule[at]
        at += 1
        if character == "*":
            end = at + len(rule[at:]) - len(rule[at:].lstrip("*"))
            # git compares the text before the first special character first, and a `**` after it counts as if it were
            # the start of the rule.
            folders = paths and end - at >= 1 and (at - 1 == start or rule[at - 2] == "/")
            star, at = _read_stars(rule, end, folders=folders)
            pieces.append(star)
        elif character == "?":
            pieces.append(NOT_SLASH)
        elif character == "[":
            characters, at = _read_set(rule, at)
            pieces.append(characters)
        elif character == "\\":
            if at == len(rule):
                raise _NeverMatchesError
            pieces.append(rule[at])
            at += 1
        else:
            pieces.append(character)
    return pieces


def _read_stars(rule: str, end: int, *, folders: bool) -> tuple[Piece, int]:
    """Return what stars that end before a position stand for, and the position after it."""
    if folders and rule.startswith("/", end):
        return FOLDERS, end + 1
    if folders and (end == len(rule) or rule.startswith("\\/", end)):
        return Repeat(ANY), end
    return Repeat(NOT_SLASH), end


def _read_set(rule: str, at: int) -> tuple[CharacterSet, int]:
    """Read a set that starts after its `[`; return it with the position after its `]`."""
    negated = rule[at : at + 1] in ("!", "^")
    at += negated
    ranges: list[tuple[str, str]] = []
    first = True
    while first or not rule.startswith("]", at):
        first = False
        name, closed, _ = rule[at + 2 :].partition("]")
        if rule.startswith("[:", at) and (not closed or name.endswith(":")):
            ranges.extend(_named_set(name))
            at += len(name) + 3
            continue
        low, at = _read_member(rule, at)
        high = low
        if rule.startswith("-", at) and rule[at + 1 : at + 2] not in ("", "]"):
            high, at = _read_member(rule, at + 1)
        ranges.append((low, max(low, high)))  # in the wrong order, git still matches the first character
    return CharacterSet(tuple(ranges), negated=negated, excluded="/"), at + 1


def _named_set(name: str) -> Sequence[tuple[str, str]]:
    ranges = _SETS.get(name.removesuffix(":"))
    if ranges is None or not name.endswith(":"):
        raise _NeverMatchesError
    return ranges


def _read_member(rule: str, at: int) -> tuple[str, int]:
    at += rule.startswith("\\", at)
    if at >= len(rule):
        raise _NeverMatchesError
    return rule[at], at + 1
