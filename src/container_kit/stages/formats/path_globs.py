"""Glob patterns for paths, as package managers write them: `*`, `?`, `[a-z]` in a name, `**` for any folders.

The patterns come from a repository. They are matched by an automaton, so the work is bounded by the length of the
patterns times the length of the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from container_kit.stages.formats.pattern_automaton import (
    ANY,
    FOLDERS,
    NOT_SLASH,
    Automaton,
    CharacterSet,
    Piece,
    Repeat,
)

_MAX_PATTERNS = 500
_MAX_LENGTH = 500
"""Characters of a pattern; a longer one matches nothing."""


class PathGlobs:
    """Patterns that are matched at the same time.

    Args:
        patterns: Relative, with `/` as the separator. `**` matches any number of folders; at the end it matches
            everything below.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        usable = [pattern for pattern in patterns if pattern and len(pattern) <= _MAX_LENGTH][:_MAX_PATTERNS]
        self._automaton = Automaton([tuple(_pieces(pattern)) for pattern in usable])

    def matches(self, path: str) -> bool:
        """Return whether one of the patterns matches a whole path."""
        return self._automaton.start.advance(path).accepted != 0


def _pieces(pattern: str) -> Iterator[Piece]:
    *parts, last = [part for part in pattern.split("/") if part not in ("", ".")] or [""]
    for part in parts:
        if part == "**":
            yield FOLDERS
        else:
            yield from _name(part)
            yield "/"
    if last == "**":
        yield ANY
        yield Repeat(ANY)
    else:
        yield from _name(last)


def _name(part: str) -> Iterator[Piece]:
    place = 0
    while place < len(part):
        character = part[place]
        end = part.find("]", place + 2 + part.startswith("!", place + 1)) if character == "[" else -1
        if character == "*":
            yield Repeat(NOT_SLASH)
        elif character == "?":
            yield NOT_SLASH
        elif end > 0:
            yield _set(part[place + 1 : end])
            place = end
        else:
            yield character
        place += 1


def _set(content: str) -> CharacterSet:
    negated = content.startswith("!")
    content = content.removeprefix("!")
    ranges, place = [], 0
    while place < len(content):
        if content[place + 1 : place + 2] == "-" and place + 2 < len(content):
            ranges.append((content[place], content[place + 2]))
            place += 3
        else:
            ranges.append((content[place], content[place]))
            place += 1
    return CharacterSet(tuple(ranges), negated=negated, excluded="/")
