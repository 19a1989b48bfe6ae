"""The syntax of one pattern of `.dockerignore`.

Docker translates a pattern to a regular expression of Go (github.com/moby/patternmatcher). It escapes most characters
that are special there, but not `^`, `|`, `{`, `}`, a backslash with the character after it, and the stars in a `[...]`.
These keep their meaning from https://pkg.go.dev/regexp/syntax.
"""

from __future__ import annotations

from collections.abc import Sequence

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.go_match import PatternSyntaxError, matches
from container_kit.stages.formats.pattern_automaton import (
    ANY,
    NOT_SLASH,
    Assertion,
    CharacterSet,
    Group,
    Piece,
    Repeat,
)

_SPECIAL = frozenset("*?[]\\")
_TRANSLATED = {"*": "[^/]*", "?": "[^/]"} | {character: f"\\{character}" for character in ".+()$"}
_ANY_FOLDERS = "(.*/)?"
_ANYTHING = ".*"
_NOT_NEWLINE = CharacterSet((("\n", "\n"),), negated=True)
_UNITS: dict[str, Piece] = {
    _ANY_FOLDERS: Group(((), (Repeat(_NOT_NEWLINE), "/"))),
    "[^/]*": Repeat(NOT_SLASH),
    "[^/]": NOT_SLASH,
    _ANYTHING: Repeat(_NOT_NEWLINE),
    "^": Assertion.START,
    "$": Assertion.END,
}
"""Pieces of an expression outside sets, longer ones first."""
_ASSERTIONS = {
    "A": Assertion.START,
    "z": Assertion.END,
    "b": Assertion.WORD_BOUNDARY,
    "B": Assertion.NOT_WORD_BOUNDARY,
}
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DIGIT = (("0", "9"),)
_SPACE = (("\t", "\n"), ("\f", "\r"), (" ", " "))
_WORD = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
_PERL = {
    name: CharacterSet(ranges, negated=name.isupper())
    for names, ranges in (("dD", _DIGIT), ("sS", _SPACE), ("wW", _WORD))
    for name in names
}
_POSIX = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "ascii": (("\0", "\x7f"),),
    "blank": (("\t", "\t"), (" ", " ")),
    "cntrl": (("\0", "\x1f"), ("\x7f", "\x7f")),
    "digit": _DIGIT,
    "graph": (("!", "~"),),
    "lower": (("a", "z"),),
    "print": ((" ", "~"),),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "space": (("\t", "\r"), (" ", " ")),
    "upper": (("A", "Z"),),
    "word": _WORD,
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
}
_COUNT = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}")
_MAX_COUNT = 1000
_MAX_SIZE = 100_000
"""Pieces of one pattern, with repeated ones counted as often as they are repeated."""
_OCTAL = frozenset("01234567")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def parse_pattern(pattern: str) -> Sequence[Piece]:
    """Translate a pattern, without `!` and cleaned like a path, to pieces that match a whole path.

    Raises:
        PatternSyntaxError: The pattern is not valid.
    """
    matches(pattern, ".")  # Docker checks the syntax so, and not the pieces that this does not reach
    suffix, prefix = pattern.removeprefix("**"), pattern.removesuffix("**")
    if not _SPECIAL & set(pattern):
        return list(pattern)
    if suffix != pattern and not _SPECIAL & set(suffix):  # any path that ends so
        anywhere = (Repeat(ANY), *suffix)
        return [Group((anywhere, tuple(suffix[1:])))] if suffix.startswith("/") else anywhere
    if prefix != pattern and not _SPECIAL & set(prefix):  # any path that starts so
        return [*prefix, Repeat(ANY)]
    return _Expression(f"^{_translate(pattern)}$").parse()


def _translate(pattern: str) -> str:
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if pattern.startswith("**", at - 1):
            at += 1
            at += pattern.startswith("/", at)
            pieces.append(_ANY_FOLDERS if at < len(pattern) else _ANYTHING)
        elif character == "\\":
            pieces.append(pattern[at - 1 : at + 1])
            at += 1
        else:
            pieces.append(_TRANSLATED.get(character, character))
    return "".join(pieces)


class _Expression:
    """Parses the expressions that patterns are translated to."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = self._size = 0

    def parse(self) -> Sequence[Piece]:
        """Return pieces that match a whole text if a search for the expression finds something in the text."""
        alternatives: list[list[Piece]] = [[]]
        while self._at < len(self._text):
            if self._take("|"):
                alternatives.append([])
            else:
                alternatives[-1].extend(self._repeated(self._pieces()))
        whole = [_match_whole(alternative) for alternative in alternatives]
        return whole[0] if len(whole) == 1 else [Group(tuple(map(tuple, whole)))]

    def _repeated(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        """Apply a count such as `{2}`, `{2,}` or `{2,5}` to the last piece. Other text in braces is literal."""
        count = _COUNT.match(self._text, self._at)
        if count is None:
            return pieces
        self._at = count.end()
        *before, last = pieces or [Repeat(ANY)]
        if isinstance(last, Repeat | Group):
            raise PatternSyntaxError(f"`{count[0]}` repeats nothing, or something that is repeated already")
        minimum = int(count[1][:9])
        maximum = int(count[3][:9]) if count[3] else None if count[2] else minimum
        if minimum > _MAX_COUNT or (maximum is not None and not minimum <= maximum <= _MAX_COUNT):
            raise PatternSyntaxError(f"`{count[0]}` is not a count up to {_MAX_COUNT}")
        self._size += max(minimum, maximum or 0)
        if self._size > _MAX_SIZE:
            raise PatternSyntaxError("it is too large")
        if isinstance(last, Assertion):
            return [*before, *[last][:minimum]]
        further = [] if maximum == minimum else [Repeat(last, None if maximum is None else maximum - minimum)]
        return [*before, *[last] * minimum, *further]

    def _pieces(self) -> Sequence[Piece]:
        for text, piece in _UNITS.items():
            if self._take(text):
                return [piece]
        if self._take("["):
            characters = self._set()
            return [Repeat(characters) if self._take("*") else characters]
        if not self._take("\\"):
            return [] if _COUNT.match(self._text, self._at) else [self._next()]
        if self._peek() in _ASSERTIONS:
            return [_ASSERTIONS[self._next()]]
        if self._peek() in _PERL:
            return [_PERL[self._next()]]
        return self._quoted() if self._take("Q") else [self._escaped()]

    def _quoted(self) -> Sequence[Piece]:
        quoted, _, _ = self._text[self._at :].partition("\\E")
        self._at += len(quoted) + 2
        return list(quoted)

    def _escaped(self) -> str:
        """Read the escape of one character after its backslash."""
        character = self._next()
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character == "x":
            digits = self._next() + self._next()
            if not _HEXADECIMAL.issuperset(digits):
                raise PatternSyntaxError("`\\x` without two hexadecimal digits")
            return chr(int(digits, 16))
        if character in _OCTAL and (character == "0" or self._peek() in _OCTAL):
            digits = character
            while len(digits) < 3 and self._peek() in _OCTAL:
                digits += self._next()
            return chr(int(digits, 8))
        if character.isascii() and not character.isalnum():
            return character
        raise PatternSyntaxError(f"an unknown escape (`\\{character}`)")

    def _set(self) -> CharacterSet:
        negated = self._take("^")
        ranges: list[tuple[str, str]] = []
        sets: list[CharacterSet] = []
        first = True
        while first or self._peek() != "]":
            first = False
            name, closed, _ = self._text[self._at + 2 :].partition(":]")
            if self._text.startswith("[:", self._at) and closed:
                sets.append(_posix(name))
                self._at += len(name) + 4
            elif self._text.startswith("\\", self._at) and self._text[self._at + 1 : self._at + 2] in _PERL:
                sets.append(_PERL[self._text[self._at + 1]])
                self._at += 2
            else:
                ranges.append(self._range())
        self._at += 1
        return CharacterSet(tuple(ranges), tuple(sets), negated)

    def _range(self) -> tuple[str, str]:
        low = high = self._member()
        if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
            self._at += 1
            high = self._member()
        if high < low:
            raise PatternSyntaxError(f"a range in the wrong order (`{low}-{high}`)")
        return low, high

    def _member(self) -> str:
        character = self._next()
        return self._escaped() if character == "\\" else character

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise PatternSyntaxError("a `[` without a `]`, or a backslash at the end")
        self._at += 1
        return character

    def _take(self, text: str) -> bool:
        taken = self._text.startswith(text, self._at)
        self._at += len(text) if taken else 0
        return taken


def _match_whole(pieces: list[Piece]) -> list[Piece]:
    """Let an alternative match a whole text: without `^` and `$`, the search finds it anywhere."""
    first = 1 if pieces[:1] == [Assertion.START] else 0
    last = len(pieces) - (1 if pieces[first:][-1:] == [Assertion.END] else 0)
    before = [] if first else [Repeat(ANY)]
    after = [] if last < len(pieces) else [Repeat(ANY)]
    return [*before, *pieces[first:last], *after]


def _posix(name: str) -> CharacterSet:
    negated = name.startswith("^")
    ranges = _POSIX.get(name[negated:])
    if ranges is None:
        raise PatternSyntaxError(f"an unknown class (`[:{name}:]`)")
    return CharacterSet(ranges, negated=negated)
