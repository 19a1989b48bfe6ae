"""The contract of lock file readers, and a search for the lines of entries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed

OBJECT = re.compile(r"\s*:\s*\{")
ARRAY = re.compile(r"\s*:\s*\[")
ANYTHING = re.compile("")
_MOST_MISSES = 20
BROKEN = (OSError, Malformed, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""Raised by reading a file that cannot be read or does not have its format."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something in a file that names no version which could be looked up."""

    reason: str
    line: int = 0


Entry = Package | Unread
Reader = Callable[[str], Iterator[Entry]]
"""From a file's text to what it pins.

It raises `Malformed`, or a ValueError, LookupError or TypeError where the file has not the form that it should have.
"""


class Lines:
    """Finds the lines of texts in their order; reads each character once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._misses = 0

    def of(self, needle: str, tail: re.Pattern[str] = ANYTHING) -> int:
        """Return the line of the next match; the line of the last match if there is no other.

        Args:
            needle: The text; a line break at its start binds it to the start of a line.
            tail: What must follow it.
        """
        at = self._at
        while self._misses < _MOST_MISSES:  # names that are written in another way must not be searched for each time
            at = self._text.find(needle, at)
            if at < 0:
                self._misses += 1
                break
            if tail.match(self._text, at + len(needle)):
                self._line += self._text.count("\n", self._at, at + 1)
                self._at = at + 1
                break
            at += 1
        return self._line


def quoted(text: str) -> str:
    """Return a text as JSON writes it."""
    return json.dumps(text, ensure_ascii=False)
