"""Wildcards as Go's `filepath.Match` has them: in COPY and ADD, and for the syntax check of ignore patterns."""

from __future__ import annotations

from collections.abc import Iterable


class PatternSyntaxError(ValueError):
    """A pattern that is not valid; the text says why."""


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern matches a whole name. No wildcard matches a `/`.

    Each star takes as little as possible, so nothing is matched again: the work is at most the product of the lengths.

    Raises:
        PatternSyntaxError: The pattern is not valid, as far as it is compared with the name.
    """
    chunks = list(_split_at_stars(pattern))
    for number, (star, chunk) in enumerate(chunks, 1):
        if star and not chunk:
            return "/" not in name
        rest = _match_after(chunk, name, star=star, last=number == len(chunks))
        if rest is None:
            return False
        name = rest
    return not name


def _split_at_stars(pattern: str) -> Iterable[tuple[bool, str]]:
    """Yield the chunks between the stars of a pattern, each with whether a star precedes it."""
    at = 0
    while at < len(pattern):
        start = at
        while pattern.startswith("*", start):
            start += 1
        end, in_set = start, False
        while end < len(pattern) and (in_set or pattern[end] != "*"):
            if pattern[end] in "[]":
                in_set = pattern[end] == "["
            end += 2 if pattern[end] == "\\" else 1
        yield start > at, pattern[start:end]
        at = end


def _match_after(chunk: str, name: str, *, star: bool, last: bool) -> str | None:
    """Match a chunk at the start of a name, or after what a star takes of it; return the rest."""
    end = name.find("/") if "/" in name else len(name)
    for start in range(end + 1 if star else 1):
        rest = _match_chunk(chunk, name[start:])
        if rest is not None and not (last and rest):
            return rest
    return None


def _match_chunk(chunk: str, name: str) -> str | None:
    """Match a chunk at the start of a name; return the rest of the name, None if it differs."""
    at = position = 0
    matched = True
    while at < len(chunk):
        character = chunk[at]
        at += 1
        actual = name[position : position + 1]
        position += 1
        if character == "[":
            negated = chunk.startswith("^", at)
            ranges, at = _read_set(chunk, at + negated)
            equal = any(low <= actual <= high for low, high in ranges) != negated
        elif character == "?":
            equal = actual != "/"
        else:
            if character == "\\":
                if at == len(chunk):
                    raise PatternSyntaxError("a backslash at the end")
                character = chunk[at]
                at += 1
            equal = actual == character
        matched = matched and bool(actual) and equal
    return name[position:] if matched else None


def _read_set(chunk: str, at: int) -> tuple[list[tuple[str, str]], int]:
    """Read a set from its first member; return its ranges and the position after its `]`."""
    ranges: list[tuple[str, str]] = []
    while not (ranges and chunk.startswith("]", at)):
        low, at = _read_member(chunk, at)
        high = low
        if chunk.startswith("-", at):
            high, at = _read_member(chunk, at + 1)
        ranges.append((low, high))
    return ranges, at + 1


def _read_member(chunk: str, at: int) -> tuple[str, int]:
    if chunk[at : at + 1] in ("", "-", "]"):
        raise PatternSyntaxError("a `[` without a `]`, or without characters")
    at += chunk[at] == "\\"
    if at + 1 >= len(chunk):
        raise PatternSyntaxError("a `[` without a `]`")
    return chunk[at], at + 1
