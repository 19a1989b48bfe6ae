r"""Regular expressions that match in time linear in the text: the interface of `re` on RE2.

`re` backtracks. A repository decides the text, so an expression that is worse than linear lets one file stop the
process, and `re` holds the interpreter's lock all that time. RE2 never backtracks. Modules use it as a replacement:

    from container_kit.stages.contract import expressions as re

RE2 has no lookaround, no back references and no atomic groups. An expression that needs them runs on `re`; use it on
short texts only. The classes `\w`, `\s`, `\d` and `\b` of RE2 are ASCII, and its matches know the spans of groups
only by number. `$` without MULTILINE is the very end of the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from mmap import mmap
from re import ASCII, DOTALL, IGNORECASE, MULTILINE, VERBOSE, Match, RegexFlag, error, escape
from typing import Any, AnyStr, Generic, Self, cast

import re2

_FLAGS = {MULTILINE: "m", DOTALL: "s", IGNORECASE: "i"}
_SUPPORTED = MULTILINE | DOTALL | IGNORECASE | ASCII


class Pattern(Generic[AnyStr]):
    """An expression, compiled when it is first used: most programs use few of the package's expressions.

    Args:
        pattern: Its text.
        flags: Flags of `re`.
    """

    def __init__(self, pattern: AnyStr, flags: int = 0) -> None:
        self.pattern: AnyStr = pattern
        self.flags = flags

    @functools.cached_property
    def _compiled(self) -> Any:
        return _compile(self.pattern, self.flags)

    @property
    def backtracks(self) -> bool:
        """Return whether the expression runs on `re`."""
        return isinstance(self._compiled, re.Pattern)

    def search(self, text: AnyStr | mmap, pos: int | None = None, endpos: int | None = None) -> Match[AnyStr] | None:
        """Return the first match."""
        return cast("Match[AnyStr] | None", self._compiled.search(_searchable(text), *_span(text, pos, endpos)))

    def match(self, text: AnyStr, pos: int | None = None, endpos: int | None = None) -> Match[AnyStr] | None:
        """Return the match at the start."""
        return cast("Match[AnyStr] | None", self._compiled.match(_searchable(text), *_span(text, pos, endpos)))

    def fullmatch(self, text: AnyStr, pos: int | None = None, endpos: int | None = None) -> Match[AnyStr] | None:
        """Return the match of the whole text."""
        return cast("Match[AnyStr] | None", self._compiled.fullmatch(_searchable(text), *_span(text, pos, endpos)))

    def finditer(self, text: AnyStr, pos: int | None = None, endpos: int | None = None) -> Iterator[Match[AnyStr]]:
        """Yield all matches."""
        return cast("Iterator[Match[AnyStr]]", self._compiled.finditer(_searchable(text), *_span(text, pos, endpos)))

    def findall(self, text: AnyStr) -> list[Any]:
        """Return all matches, or their groups if there are any."""
        return cast("list[Any]", self._compiled.findall(_searchable(text)))

    def sub(self, replacement: AnyStr | Callable[[Match[AnyStr]], AnyStr], text: AnyStr, count: int = 0) -> AnyStr:
        """Replace all matches."""
        return cast("AnyStr", self._compiled.sub(replacement, _searchable(text), count))

    def subn(
        self, replacement: AnyStr | Callable[[Match[AnyStr]], AnyStr], text: AnyStr, count: int = 0
    ) -> tuple[AnyStr, int]:
        """Replace all matches and count them."""
        return cast("tuple[AnyStr, int]", self._compiled.subn(replacement, _searchable(text), count))

    def split(self, text: AnyStr, maxsplit: int = 0) -> list[Any]:
        """Split at all matches."""
        return cast("list[Any]", self._compiled.split(_searchable(text), maxsplit))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __repr__(self) -> str:
        return f"expressions.compile({self.pattern!r}, {self.flags})"


def compile(pattern: AnyStr | Pattern[AnyStr], flags: int = 0) -> Pattern[AnyStr]:  # noqa: A001 - the name of `re`
    """Return an expression. Its first use raises `re.error` if it is malformed."""
    return pattern if isinstance(pattern, Pattern) else _cached(pattern, int(flags))


def search(pattern: AnyStr | Pattern[AnyStr], text: AnyStr, flags: int = 0) -> Match[AnyStr] | None:
    """Return the first match."""
    return compile(pattern, flags).search(text)


def match(pattern: AnyStr | Pattern[AnyStr], text: AnyStr, flags: int = 0) -> Match[AnyStr] | None:
    """Return the match at the start."""
    return compile(pattern, flags).match(text)


def fullmatch(pattern: AnyStr | Pattern[AnyStr], text: AnyStr, flags: int = 0) -> Match[AnyStr] | None:
    """Return the match of the whole text."""
    return compile(pattern, flags).fullmatch(text)


def finditer(pattern: AnyStr | Pattern[AnyStr], text: AnyStr, flags: int = 0) -> Iterator[Match[AnyStr]]:
    """Yield all matches."""
    return compile(pattern, flags).finditer(text)


def findall(pattern: AnyStr | Pattern[AnyStr], text: AnyStr, flags: int = 0) -> list[Any]:
    """Return all matches, or their groups if there are any."""
    return compile(pattern, flags).findall(text)


def sub(
    pattern: AnyStr | Pattern[AnyStr],
    replacement: AnyStr | Callable[[Match[AnyStr]], AnyStr],
    text: AnyStr,
    count: int = 0,
    flags: int = 0,
) -> AnyStr:
    """Replace all matches."""
    return compile(pattern, flags).sub(replacement, text, count)


def split(pattern: AnyStr | Pattern[AnyStr], text: AnyStr, maxsplit: int = 0, flags: int = 0) -> list[Any]:
    """Split at all matches."""
    return compile(pattern, flags).split(text, maxsplit)


@functools.lru_cache(maxsize=4096)
def _cached(pattern: AnyStr, flags: int) -> Pattern[AnyStr]:
    return Pattern(pattern, flags)


def _compile(pattern: str | bytes, flags: int) -> Any:
    if flags & ~_SUPPORTED:
        return re.compile(pattern, flags)
    letters = "".join(letter for flag, letter in _FLAGS.items() if flags & flag)
    prefix = f"(?{letters})" if letters else ""
    options = re2.Options()
    options.log_errors = False
    try:
        if isinstance(pattern, bytes):
            options.encoding = re2.Options.Encoding.LATIN1
            return re2.compile(prefix.encode() + pattern.replace(rb"\Z", rb"\z"), options)
        return re2.compile(prefix + pattern.replace(r"\Z", r"\z"), options)
    except re2.error:
        return re.compile(pattern, flags)


def _searchable(text: str | bytes | mmap) -> str | bytes | mmap:
    """Replace surrogates, which stand for bytes of a file name that are not UTF-8."""
    if isinstance(text, str) and not text.isascii():
        return text.encode("utf-8", "replace").decode()
    return text


def _span(text: str | bytes | mmap, pos: int | None, endpos: int | None) -> tuple[int, ...]:
    if pos is None and endpos is None:
        return ()
    return pos or 0, len(text) if endpos is None else endpos


__all__ = [
    "ASCII",
    "DOTALL",
    "IGNORECASE",
    "MULTILINE",
    "VERBOSE",
    "Match",
    "Pattern",
    "RegexFlag",
    "compile",
    "error",
    "escape",
    "findall",
    "finditer",
    "fullmatch",
    "match",
    "search",
    "split",
    "sub",
]
