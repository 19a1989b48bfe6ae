"""`.dockerignore` files and lists of such patterns, as Docker reads them.

The rules are those of github.com/moby/patternmatcher, which `docker build` and BuildKit use. A pattern is cleaned like
a path and relative to the root of the context. `*` and `?` stop at `/`, `**` does not. A pattern that matches a folder
applies to everything below it. The last pattern that applies decides; `!` includes again.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.formats.docker_pattern import parse_pattern
from container_kit.stages.formats.go_match import PatternSyntaxError
from container_kit.stages.formats.pattern_automaton import Automaton, Node, Piece, State

IGNORE_INVALID = FaultCode(
    "dockerfile.ignore_invalid",
    means="A line of .dockerignore is not a valid pattern.",
    hint="Correct the pattern in {path}.",
)

_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_MAX_LINE = 64 * 1024
_MAX_CHARACTERS = 200_000
_NONE = -1


class PatternError(ValueError):
    """A pattern that Docker rejects.

    Args:
        pattern: The pattern as written.
        line: Its line in the file, from 1; 0 if it does not come from a file.
        reason: Why it is not valid.
    """

    def __init__(self, pattern: str, line: int, reason: str) -> None:
        self.pattern, self.line, self.reason = pattern, line, reason
        super().__init__(f"{f'line {line}: ' if line else ''}{pattern[:100]!r} is not a valid pattern: {reason}")


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """One pattern."""

    text: str
    """As written."""
    cleaned: str
    """Without `!`, and cleaned like a path."""
    negated: bool
    """Whether the pattern starts with `!`, and so includes paths again."""
    line: int = 0
    """The line in its file, from 1; 0 if it does not come from a file."""


def ignore_file_names(dockerfile: str = "Dockerfile") -> tuple[str, str]:
    """Return the ignore files that a build looks for. The first one that exists applies.

    Args:
        dockerfile: The path of the Dockerfile.

    Returns:
        The Dockerfile's own ignore file, and the one at the root of the context.
    """
    return f"{dockerfile}.dockerignore", ".dockerignore"


class DockerIgnore:
    """The patterns of a `.dockerignore` file, or of a list of BuildKit.

    Args:
        patterns: The patterns, in order.

    Raises:
        PatternError: A pattern is not valid.
    """

    def __init__(self, patterns: Iterable[IgnorePattern]) -> None:
        self.patterns = tuple(patterns)
        if sum(len(pattern.cleaned) for pattern in self.patterns) > _MAX_CHARACTERS:
            raise PatternError("", 0, f"all patterns together have more than {_MAX_CHARACTERS} characters")
        self._automaton = Automaton(_pieces(pattern) for pattern in self.patterns)

    @classmethod
    def parse(cls, content: str) -> DockerIgnore:
        """Parse the content of a `.dockerignore` file.

        Raises:
            PatternError: A line is not a valid pattern.
        """
        return cls(_read_lines(content))

    @classmethod
    def from_patterns(cls, patterns: Iterable[str]) -> DockerIgnore:
        """Read a list of patterns, as BuildKit sends it.

        Raises:
            PatternError: A pattern is not valid.
        """
        return cls(pattern for text in patterns if (pattern := _clean(text, text, 0)) is not None)

    @property
    def root(self) -> PathMatch:
        """The match of the root, from which a walk starts. The root itself is never matched."""
        return PathMatch(self, self._automaton.start, 0, _NONE, is_root=True)

    def find(self, path: str) -> IgnorePattern | None:
        """Return the pattern that ignores a path, itself or with a folder above it; None if it is not ignored.

        Args:
            path: Relative to the root, with `/` as the separator.
        """
        match = self.root
        for name in path.split("/"):
            match = match.child(name)
        return match.pattern if match.is_matched else None

    def decide(self, accepted: int, inherited: int) -> tuple[int, int]:
        """Return the patterns that apply to a path, a bit for each, and the number of the one that decides.

        Docker does not evaluate a pattern that would not change the result so far, and then does not apply it to what
        is in the folder either.

        Args:
            accepted: The patterns that match the path itself.
            inherited: The patterns that apply to its folder.
        """
        applied, decisive, matched = inherited, _NONE, False
        remaining = accepted | inherited
        while remaining:
            bit = remaining & -remaining
            remaining ^= bit
            number = bit.bit_length() - 1
            negated = self.patterns[number].negated
            if bit & inherited or negated == matched:
                applied |= bit
                decisive, matched = number, not negated
        return applied, decisive

    def may_change_below(self, state: State, decisive: int) -> bool:
        """Return whether a pattern after the decisive one, and of the opposite effect, can match below a folder."""
        matched = decisive != _NONE and not self.patterns[decisive].negated
        last = self._last_negated if matched else self._last_plain
        return any(last.get(node, _NONE) > decisive for node in state.advance("/").nodes)

    @cached_property
    def _last_negated(self) -> dict[Node, int]:
        return self._automaton.last_reachable(n for n, pattern in enumerate(self.patterns) if pattern.negated)

    @cached_property
    def _last_plain(self) -> dict[Node, int]:
        return self._automaton.last_reachable(n for n, pattern in enumerate(self.patterns) if not pattern.negated)


def parse_ignore_file(content: str, path: str) -> DockerIgnore:
    """Parse the content of a `.dockerignore` file of a repository.

    Raises:
        StageFailure: `dockerfile.ignore_invalid`.
    """
    try:
        return DockerIgnore.parse(content)
    except PatternError as error:
        action = NextAction(why=f"Correct {path}, then make the same call again.")
        raise IGNORE_INVALID(f"{path}: {error}", next_actions=[action], path=path) from error


@dataclass(frozen=True, slots=True)
class PathMatch:
    """What patterns say about one path."""

    _ignore: DockerIgnore
    _state: State
    _applied: int
    _decisive: int
    is_root: bool = False

    def child(self, name: str) -> PathMatch:
        """Return the match of something in this folder."""
        state = self._state.advance(name if self.is_root else f"/{name}")
        applied, decisive = self._ignore.decide(state.accepted, self._applied)
        return PathMatch(self._ignore, state, applied, decisive)

    @property
    def is_matched(self) -> bool:
        """Whether the path is matched: ignored, or included by a list of patterns to include."""
        return self._decisive != _NONE and not self._ignore.patterns[self._decisive].negated

    @property
    def pattern(self) -> IgnorePattern | None:
        """The pattern that decides; None if no pattern applies."""
        return None if self._decisive == _NONE else self._ignore.patterns[self._decisive]

    @property
    def may_differ_below(self) -> bool:
        """Whether something in this folder can be decided otherwise, so that a walk has to look into it."""
        if self.is_root:
            return True
        return self._ignore.may_change_below(self._state, self._decisive)


def _read_lines(content: str) -> Iterable[IgnorePattern]:
    for number, line in enumerate(content.removeprefix("\ufeff").split("\n"), 1):
        if len(line) >= _MAX_LINE:
            raise PatternError(line, number, "the line is too long")
        if line.startswith("#"):
            continue
        text = line.strip(_SPACE)
        negated = text.startswith("!")
        path = text[negated:].strip(_SPACE)
        if path:
            path = _clean_path(path)
            path = path[1:] if len(path) > 1 and path.startswith("/") else path
        pattern = _clean(f"!{path}" if negated else path, text, number)
        if pattern is not None:
            yield pattern


def _clean(text: str, written: str, line: int) -> IgnorePattern | None:
    text = text.strip(_SPACE)
    if not text:
        return None
    cleaned = _clean_path(text)
    negated = cleaned.startswith("!")
    if cleaned == "!":
        raise PatternError(written, line, "nothing follows the `!`")
    return IgnorePattern(written, cleaned[negated:], negated, line)


def _clean_path(path: str) -> str:
    """Clean a path as Go does: unlike Python, it joins two leading slashes."""
    return posixpath.normpath(f"/{path.lstrip('/')}" if path.startswith("/") else path)


def _pieces(pattern: IgnorePattern) -> Sequence[Piece]:
    try:
        return parse_pattern(pattern.cleaned)
    except PatternSyntaxError as error:
        raise PatternError(pattern.text, pattern.line, str(error)) from error
