"""`.dockerignore` and include patterns, by the rules of Docker's matcher.

A pattern is cleaned like a path and matched against the path relative to the root: `*` and `?` stop at `/`, `**` does
not. A pattern that matches a folder applies to everything below it. The last pattern that applies decides; `!` includes
again (https://docs.docker.com/build/concepts/context/#dockerignore-files).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.glob import STAR, AnyPath, CharacterClass, Simulation, Token, path_expression

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
    def expression(self) -> str | None:
        """The regular expression of the whole pattern; None if it has to be simulated."""
        return path_expression(self.parts, _part_tokens) if _is_regular(self.parts) else None

    @cached_property
    def simulation(self) -> Simulation:
        """Matches the pattern without an expression."""
        return Simulation(_tokens("/".join(self.parts)))

    @cached_property
    def _part_simulations(self) -> tuple[Simulation, ...]:
        return tuple(Simulation(_tokens(part)) for part in self.parts)

    def may_match_below(self, folder: Sequence[str]) -> bool:
        """Return whether the pattern could match something inside a folder, or a parent of the folder."""
        for part, simulation, name in zip(self.parts, self._part_simulations, folder, strict=False):
            if "**" in part:
                return True
            if not simulation.matches(name):
                return False
        return True


class Patterns:
    """Patterns in order, compiled to one expression.

    Raises:
        ValueError: A pattern is not valid; the text names it.
    """

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = tuple(patterns)
        # The last pattern is tried first, so that the group that matched is the one that decides.
        self._regular = [index for index, pattern in enumerate(self.patterns) if pattern.expression is not None][::-1]
        groups = "|".join(f"({self.patterns[index].expression})" for index in self._regular)
        try:
            self._find = re.compile(groups, re.DOTALL).fullmatch if groups else None
            self._simulated = [
                (index, pattern.simulation) for index, pattern in enumerate(self.patterns) if pattern.expression is None
            ]
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
        decision = of_parent
        match = self._find(path) if self._find is not None else None
        if match is not None and match.lastindex is not None:
            decision = max(decision, self._regular[match.lastindex - 1])
        for index, simulation in self._simulated:
            if index > decision and simulation.matches(path):
                decision = index
        return decision

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


def _tokens(part: str) -> list[Token | AnyPath]:
    """Split a part of a pattern, or a whole pattern, into tokens as Docker does."""
    tokens: list[Token | AnyPath] = []
    at = 0
    while at < len(part):
        character = part[at]
        at += 1
        if part.startswith("**", at - 1):
            at += 1 + part.startswith("/", at + 1)
            tokens.append(AnyPath(whole_folders=at < len(part)))
        elif character == "*":
            tokens.append(STAR)
        elif character == "?":
            tokens.append(CharacterClass("[^/]"))
        elif character == "[" and (end := part.find("]", at + 1)) != -1:
            inside = part[at:end].replace("[", "\\[")
            tokens.append(CharacterClass(f"[{inside}]"))
            at = end + 1
        elif character == "\\" and at < len(part):
            tokens.append(part[at])
            at += 1
        else:
            tokens.append(character)
    return tokens


_SAFE_CLASS = re.compile(r"\[(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_])+\]")


def _is_regular(parts: Sequence[str]) -> bool:
    """Return whether `**` only stands for whole folders and no class can match a `/`.

    Docker accepts other patterns too, with a meaning that no expression without backtracking has.
    """
    return not any(("**" in part and part != "**") or "[" in _SAFE_CLASS.sub("", part) for part in parts)


def _part_tokens(part: str) -> list[Token]:
    return [token for token in _tokens(part) if not isinstance(token, AnyPath)]
