"""Quotes, escapes and variables in the words of a Dockerfile, as BuildKit's frontend expands them.

The forms are `$NAME`, `${NAME}` and `${NAME:-word}` with the operators `:-`, `-`, `:+`, `+`, `:?` and `?`. Patterns
(`${NAME#pattern}`, `${NAME%pattern}`, `${NAME/pattern/text}`) are not expanded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.dockerfile.instruction import Instruction

_MAX_CHARACTERS = 8192
"""Values that quote each other twice would double with each line."""
_MAX_DEPTH = 50

_PLAIN = {escape: re.compile(rf"[^{re.escape(escape)}$'\"}}]+") for escape in ("\\", "`")}
_IN_QUOTES = {escape: re.compile(rf"[^{re.escape(escape)}$\"]+") for escape in ("\\", "`")}
_NAME = re.compile(r"[@*#?\-$!]|\d+|\w+")
_SPACES = re.compile(r"\s+")
_OPERATORS = frozenset("-+?")


class ExpansionError(ValueError):
    """A word that BuildKit cannot expand, or that is too long to be expanded here."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """An expanded word."""

    pieces: tuple[tuple[str, bool], ...]
    """The parts of the text, and whether each was quoted or escaped."""
    unset: frozenset[str]
    """The variables without a value that were expanded without a default."""

    @property
    def text(self) -> str:
        """The word as one text."""
        return "".join(text for text, _ in self.pieces)

    @property
    def words(self) -> tuple[str, ...]:
        """The text split at white space that was neither quoted nor escaped."""
        words: list[str] = []
        current = ""
        for text, quoted in self.pieces:
            for number, part in enumerate([text] if quoted else _SPACES.split(text)):
                if number and current:
                    words.append(current)
                    current = ""
                current += part
        return tuple([*words, current] if current else words)


def expand(word: str, variables: Mapping[str, str], *, escape: str = "\\", keep_unset: bool = False) -> Expansion:
    r"""Expand a word.

    Args:
        word: As written.
        variables: The values by name.
        escape: The escape character of the Dockerfile, `\` or a backtick.
        keep_unset: Leave `$NAME` as written if it has no value, because the base image may set it. BuildKit puts
            nothing in its place.

    Raises:
        ExpansionError: A quote or brace is not closed, an operator is unknown, a `:?` has no value, or the result is
            too long.
    """
    expander = _Expander(word, variables, escape, keep_unset)
    return Expansion(tuple(expander.pieces("")), frozenset(expander.unset))


def expand_or_keep(word: str, variables: Mapping[str, str], *, escape: str, keep_unset: bool = False) -> str:
    """Expand a word; leave one that cannot be expanded as it is written."""
    try:
        return expand(word, variables, escape=escape, keep_unset=keep_unset).text
    except ExpansionError:
        return word


def declare_arguments(
    instruction: Instruction, variables: dict[str, str], build_args: Mapping[str, str], *, escape: str
) -> None:
    """Add the variables to which an ARG gives a value, by a build argument or by its default.

    Args:
        instruction: The ARG.
        variables: The values before it. A default may use them, and the arguments before it in the instruction.
        build_args: The values that the caller of the build gives.
        escape: The escape character.
    """
    for argument in instruction.arguments:
        name, has_default, default = argument.partition("=")
        if name in build_args:
            variables[name] = build_args[name]
        elif has_default:
            variables[name] = expand_or_keep(default, variables, escape=escape)


_Piece = tuple[str, bool]
"""A text, and whether it was quoted."""


class _Expander:
    """Reads one word from left to right."""

    def __init__(self, word: str, variables: Mapping[str, str], escape: str, keep_unset: bool) -> None:
        self.unset: set[str] = set()
        self._word = word
        self._variables = variables
        self._escape = escape
        self._keep_unset = keep_unset
        self._at = 0
        self._depth = 0
        self._left = max(_MAX_CHARACTERS, len(word))

    def pieces(self, stop: str) -> list[_Piece]:
        """Read up to a character, or to the end of the word."""
        found: list[_Piece] = []
        while self._at < len(self._word):
            character = self._word[self._at]
            if character == stop:
                self._at += 1
                return found
            found.append(self._piece(character))
        if stop:
            raise ExpansionError(f"{stop!r} is missing")
        return found

    def _piece(self, character: str) -> _Piece:
        if character == "$":
            return self._counted(self._dollar()), False
        if character == "'":
            return self._counted(self._single_quoted()), True
        if character == '"':
            return self._counted(self._double_quoted()), True
        if character == self._escape:
            self._at += 2
            return self._counted(self._word[self._at - 1 : self._at]), True
        plain = _PLAIN[self._escape].match(self._word, self._at)
        text = plain[0] if plain else character
        self._at += len(text)
        return self._counted(text), False

    def _counted(self, text: str) -> str:
        self._left -= len(text)
        if self._left < 0:
            raise ExpansionError(f"the value is longer than {_MAX_CHARACTERS} characters")
        return text

    def _single_quoted(self) -> str:
        end = self._word.find("'", self._at + 1)
        if end < 0:
            raise ExpansionError("a single quote is not closed")
        text = self._word[self._at + 1 : end]
        self._at = end + 1
        return text

    def _double_quoted(self) -> str:
        self._at += 1
        texts: list[str] = []
        while self._at < len(self._word):
            character = self._word[self._at]
            if character == '"':
                self._at += 1
                return "".join(texts)
            texts.append(self._in_double_quotes(character))
        raise ExpansionError("a double quote is not closed")

    def _in_double_quotes(self, character: str) -> str:
        if character == "$":
            return self._dollar()
        if character == self._escape:
            following = self._word[self._at + 1 : self._at + 2]
            escapes = following in {'"', "$", self._escape}  # before others the character stays
            self._at += 2 if escapes else 1
            return following if escapes else character
        plain = _IN_QUOTES[self._escape].match(self._word, self._at)
        text = plain[0] if plain else character
        self._at += len(text)
        return text

    def _dollar(self) -> str:
        start = self._at
        self._at += 1
        braced = self._word.startswith("{", self._at)
        self._at += braced
        name = self._name()
        if not braced:
            return self._value(name, start) if name else "$"
        if self._at >= len(self._word):
            raise ExpansionError("'}' is missing")
        if not name:
            raise ExpansionError("a variable has no name")
        if self._word[self._at] == "}":
            self._at += 1
            return self._value(name, start)
        return self._operation(name)

    def _name(self) -> str:
        found = _NAME.match(self._word, self._at)
        self._at += len(found[0]) if found else 0
        return found[0] if found else ""

    def _value(self, name: str, start: int) -> str:
        value = self._variables.get(name)
        if value is None:
            self.unset.add(name)
            return self._word[start : self._at] if self._keep_unset else ""
        return value

    def _operation(self, name: str) -> str:
        empty_is_unset = self._word[self._at] == ":"
        self._at += empty_is_unset
        operator = self._word[self._at : self._at + 1]
        self._at += 1
        if operator not in _OPERATORS:
            raise ExpansionError(f"the operator {operator!r} is unknown")
        alternative = self._alternative()
        value = self._variables.get(name)
        is_set = value is not None and not (empty_is_unset and not value)
        if operator == "+":
            return alternative if is_set else ""
        if operator == "?" and not is_set:
            raise ExpansionError(f"{name}: {alternative or 'has no value'}")
        return value or "" if is_set else alternative

    def _alternative(self) -> str:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ExpansionError("variables are nested too deeply")
        text = "".join(text for text, _ in self.pieces("}"))
        self._depth -= 1
        return text
