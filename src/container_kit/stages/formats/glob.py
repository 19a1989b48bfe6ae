"""Glob patterns for paths, matched in time linear in the length of the pattern and the path.

A pattern is a list of parts between slashes. `**` as a whole part stands for any number of folders. Because all other
parts have a fixed number of segments, the leftmost match of each block between two `**` is always the right one, and
the same holds for the literal pieces between two `*` within a part. Each of them is therefore an atomic group: the
expression never returns to an earlier choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from container_kit.stages.contract import expressions as re

STAR = None
"""Any characters except `/`, as a token of a part."""


class CharacterClass(NamedTuple):
    """One character of a class such as `[a-z]`."""

    expression: str


Token = str | CharacterClass | None
"""A literal character, a character class, or `STAR`."""

_SEPARATOR = r"(?=/|\Z)"


def path_expression(parts: Sequence[str], tokens: Callable[[str], Sequence[Token]]) -> str:
    """Translate a pattern to a regular expression for `re.fullmatch` with `re.DOTALL`.

    Args:
        parts: The pattern, split at `/`.
        tokens: Splits one part into tokens.
    """
    blocks: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            blocks.append([])
        else:
            blocks[-1].append(part_expression(tokens(part)))
    first, *others = blocks
    others = [block for number, block in enumerate(others) if block or number == len(others) - 1]
    if not others:
        return "/".join(first)
    expression = "".join(f"{part}/" for part in first)
    for block in others[:-1]:
        inner = "".join(f"{part}/" for part in block)
        expression += f"(?>(?:.*?/)??{inner})"
    last = others[-1]
    return expression + ("(?:.*/)?" + "/".join(last) if last else ".*")


def part_expression(tokens: Sequence[Token]) -> str:
    """Translate one part, which matches a whole name between slashes."""
    pieces: list[str] = [""]
    for token in tokens:
        if token is STAR:
            pieces.append("")
        elif isinstance(token, CharacterClass):
            pieces[-1] += token.expression
        else:
            pieces[-1] += re.escape(token)
    first, *others = pieces
    others = [piece for number, piece in enumerate(others) if piece or number == len(others) - 1]
    if not others:
        return first
    middle = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1])
    last = f"[^/]*{others[-1]}" if others[-1] else "[^/]*+"
    return f"(?>{first}{middle}{last}{_SEPARATOR})"


class AnyPath(NamedTuple):
    """Any characters, `/` included, up to a `/` if `whole_folders` is true; the token of `**` within a part."""

    whole_folders: bool


class Simulation:
    """Matches patterns in which `**` is glued to other text, by simulating all alternatives at the same time.

    Args:
        tokens: The tokens of the whole pattern, `/` included.
    """

    __slots__ = ("_accepted", "_classes", "_folders", "_literals", "_loops", "_skips", "_stars")

    def __init__(self, tokens: Sequence[Token | AnyPath]) -> None:
        self._literals: dict[str, int] = {}
        self._classes: list[tuple[re.Pattern[str], int]] = []
        self._stars = self._loops = self._folders = self._skips = 0
        for place, token in enumerate(tokens):
            bit = 1 << place
            if token is STAR:
                self._stars |= bit
            elif isinstance(token, AnyPath):
                if token.whole_folders:
                    self._folders |= bit
                else:
                    self._loops |= bit
            elif isinstance(token, CharacterClass):
                self._classes.append((re.compile(token.expression, re.DOTALL), bit))
            else:
                self._literals[token] = self._literals.get(token, 0) | bit
        self._skips = self._stars | self._loops | self._folders
        self._accepted = 1 << len(tokens)

    def matches(self, text: str) -> bool:
        """Return whether the whole text matches."""
        return bool(self._run(text) & self._accepted)

    def _run(self, text: str) -> int:
        # Two kinds of states: at a token, and inside the folders of a `**` (which may only end after a `/`).
        at, inside = self._skip(1), 0
        for character in text:
            advance = at & self._literals.get(character, 0)
            for pattern, bit in self._classes:
                if at & bit and pattern.match(character):
                    advance |= bit
            stay = at & (self._loops | (self._stars if character != "/" else 0))
            folders = (at & self._folders) | inside
            at = self._skip((advance << 1) | stay | ((folders << 1) if character == "/" else 0))
            inside = folders
            if not at and not inside:
                return 0
        return at

    def _skip(self, states: int) -> int:
        """Add the states after tokens that may match nothing."""
        while more := ((states & self._skips) << 1) & ~states:
            states |= more
        return states
