"""One instruction of a Dockerfile."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.contract import expressions as re

_COPYING = frozenset({"ADD", "COPY"})
_HEREDOC_WORD = re.compile(r"\d*<<")


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A here-document: the lines between an instruction and the line that holds only the name."""

    name: str
    content: str
    descriptor: int = 0
    """The file descriptor before `<<`."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continued lines joined."""

    keyword: str
    """In upper case."""
    arguments: tuple[str, ...]
    """As the parser splits them, without flags: the whole command for a shell form, the strings of a JSON form, names
    and values in turn for ENV and LABEL. Quotes and variables are as written."""
    flags: tuple[str, ...]
    is_json: bool
    """Whether the arguments were written as a JSON array (the exec form of a command)."""
    line: int
    """The first line, from 1."""
    last_line: int
    """The last line, here-documents included."""
    source: str
    """As written, on one line and without here-documents."""
    heredocs: tuple[Heredoc, ...] = ()
    trigger: Instruction | None = None
    """The instruction that ONBUILD defers."""

    @property
    def text(self) -> str:
        """The arguments as one text."""
        return " ".join(self.arguments)

    @property
    def script(self) -> str:
        """The arguments with the here-documents below them: the whole input of the shell of a RUN."""
        return "\n".join((self.text, *(heredoc.content for heredoc in self.heredocs)))

    def flag(self, name: str) -> str | None:
        """Return the value of `--NAME=VALUE`: empty without a value, None without the flag."""
        return next(iter(self.flag_values(name)), None)

    def flag_values(self, name: str) -> tuple[str, ...]:
        """Return the values of a flag that may be repeated, such as `--mount`."""
        parts = (flag.removeprefix("--").partition("=") for flag in self.flags)
        return tuple(value for key, _, value in parts if key == name)

    @property
    def variables(self) -> tuple[tuple[str, str], ...]:
        """The names and values of ENV or ARG; a value is empty if an ARG has no default."""
        if self.keyword == "ENV":
            return tuple(zip(self.arguments[::2], self.arguments[1::2], strict=False))
        if self.keyword == "ARG":
            parts = (argument.partition("=") for argument in self.arguments)
            return tuple((name, value) for name, _, value in parts)
        return ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths and URLs that COPY or ADD takes, here-documents left out; none for other instructions."""
        if self.keyword not in _COPYING:
            return ()
        heredocs = bool(self.heredocs) and not self.is_json
        return tuple(word for word in self.arguments[:-1] if not (heredocs and _HEREDOC_WORD.match(word)))

    @property
    def context_sources(self) -> tuple[str, ...]:
        """The sources that come from the build context, not from another stage or image."""
        return () if self.flag("from") is not None else self.sources
