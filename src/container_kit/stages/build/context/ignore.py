"""`.dockerignore` and include patterns, by the rules of Docker's matcher.

A pattern is cleaned like a path and matched against the path relative to the root: `*` and `?` stop at `/`, `**` does
not. A pattern that matches a folder applies to everything below it. The last pattern that applies decides; `!` includes
again (https://docs.docker.com/build/concepts/context/#dockerignore-files).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

NONE = -1
"""The decision if no pattern applies."""


@dataclass(frozen=True)
class Pattern:
    """One pattern, cleaned."""

    text: str
    """As written."""
    negated: bool
    parts: tuple[str, ...]
    line: int = 0
    """The line in its file, from 1; 0 if it does not come from a file."""

    @cached_property
    def expression(self) -> str:
        """The regular expression of the whole pattern."""
        return _expression("/".join(self.parts))

    def may_match_below(self, folder: Sequence[str]) -> bool:
        """Return whether the pattern could match something inside a folder, or a parent of the folder."""
        for own, name in zip(self.parts, folder, strict=False):
            if "**" in own:
                return True
            if re.fullmatch(_expression(own), name) is None:
                return False
        return True


class Patterns:
    """Patterns in order, compiled to one expression.

    Raises:
        ValueError: A pattern is not valid; the text names it.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple(patterns)
        # The last pattern is tried first, so that the matched group is the one that decides.
        groups = "|".join(f"({pattern.expression})" for pattern in reversed(self.patterns))
        try:
            self._find = re.compile(groups, re.DOTALL).fullmatch if groups else None
        except re.error as error:
            raise ValueError(f"a pattern cannot be read: {error}") from error
        self._negations = tuple((index, pattern) for index, pattern in enumerate(self.patterns) if pattern.negated)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Patterns:
        """Compile patterns that are given one by one; `!` marks a negation."""
        return cls(pattern for text in texts if (pattern := _pattern(text)) is not None)

    @classmethod
    def of_ignore_file(cls, content: str) -> Patterns:
        """Compile the lines of a `.dockerignore` file; `#` in the first column starts a comment."""
        lines = enumerate(content.removeprefix("\ufeff").splitlines(), 1)
        return cls(
            p for number, line in lines if not line.startswith("#") and (p := _pattern(line, number)) is not None
        )

    def decide(self, path: str, of_parent: int = NONE) -> int:
        """Find the pattern that decides about a path.

        Args:
            path: Relative to the root, with `/` as the separator.
            of_parent: The decision about its folder.

        Returns:
            The pattern's index in `patterns`, or `NONE`.
        """
        match = self._find(path) if self._find is not None else None
        if match is None or match.lastindex is None:
            return of_parent
        return max(of_parent, len(self.patterns) - match.lastindex)

    def holds(self, decision: int) -> bool:
        """Return whether a decision means that the path is matched (excluded, or included)."""
        return decision != NONE and not self.patterns[decision].negated

    def reopens_below(self, folder: str, decision: int) -> bool:
        """Return whether a later `!` pattern could match something inside a matched folder."""
        names = folder.split("/")
        return any(index > decision and pattern.may_match_below(names) for index, pattern in self._negations)

    def which(self, path: str) -> Pattern | None:
        """Find the pattern that excludes a path; None if it is not excluded."""
        decision, so_far = NONE, ""
        for name in path.split("/"):
            so_far = f"{so_far}/{name}" if so_far else name
            decision = self.decide(so_far, decision)
        return self.patterns[decision] if self.holds(decision) else None


def _pattern(text: str, line: int = 0) -> Pattern | None:
    stripped = text.strip()
    negated = stripped.startswith("!")
    bare = stripped[1:].strip() if negated else stripped
    if not bare:
        return None
    cleaned = posixpath.normpath(bare.replace("\\ ", " ")).lstrip("/")
    if cleaned in {"", "."}:
        return None
    return Pattern(stripped, negated, tuple(cleaned.split("/")), line)


def _expression(pattern: str) -> str:
    """Translate one pattern as Docker does: `**/` is any number of folders, a final `**` is anything."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        piece, position = _piece(pattern, position)
        out.append(piece)
    return "".join(out)


def _piece(pattern: str, at: int) -> tuple[str, int]:
    """Translate the part at a position; return it and the position after it."""
    character = pattern[at]
    if pattern.startswith("**", at):
        after = at + 3 if pattern.startswith("/", at + 2) else at + 2
        return (".*" if after >= len(pattern) else "(?:.*/)?"), after
    if character == "*":
        return "[^/]*", at + 1
    if character == "?":
        return "[^/]", at + 1
    if character == "[" and (end := pattern.find("]", at + 2)) != -1:
        inside = pattern[at + 1 : end].replace("[", "\\[")
        return f"[{inside}]", end + 1
    if character == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), at + 2
    return re.escape(character), at + 1
