"""The adapter to BuildKit's own parser: the instructions of a Dockerfile with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.dockerfile.instruction import Heredoc, Instruction
from container_kit.stages.formats.dockerfile.limits import DockerfileSyntaxError, split_lines

_DIRECTIVE = re.compile(r"\s*#[ \t\f\r]*([A-Za-z][A-Za-z0-9]*)[ \t\f\r]*=(.*)")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_ESCAPES = ("\\", "`")
_ONBUILD = re.compile(r"\s*onbuild(?=\s)", re.IGNORECASE)

# The parser fails inside an instruction if ENV or LABEL has no pairs, or if a JSON array holds more than strings.
_FALLIBLE = re.compile(r"^([^\S\n]*(?:onbuild[^\S\n]+)*)(?=(?:env|label)\s)", re.IGNORECASE | re.MULTILINE)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_HEREDOC_NAME = re.compile(r"<<-?(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s\"'<]+))")
_AT_ONCE = 200
"""Instructions that are parsed together to find a wrong one."""
_MAX_REASON = 200
_REPAIRS = {
    "unterminated heredoc": "end the here-document with a line that holds only its name",
    "ENV must have two arguments": "ENV needs a name and a value",
    "LABEL must have two arguments": "LABEL needs a name and a value",
    "file with no instructions": "begin with FROM and a base image",
    "when using JSON array syntax, arrays must be comprised of strings only": "use only strings in the JSON array",
}


@dataclass(frozen=True, slots=True)
class ParsedText:
    """The result of parsing."""

    lines: tuple[str, ...]
    """Without line ends and byte order mark."""
    instructions: tuple[Instruction, ...]
    directives: Mapping[str, str]
    """The parser directives at the top, by name in lower case."""

    @property
    def escape(self) -> str:
        """The character that continues lines and escapes."""
        return self.directives.get("escape", _ESCAPES[0])


def parse_text(text: str) -> ParsedText:
    """Parse a Dockerfile.

    Raises:
        DockerfileSyntaxError: BuildKit's parser rejects it, or it is too large to be parsed in bounded time.
    """
    lines = split_lines(text.removeprefix("\ufeff"))
    directives = dict(_read_directives(lines))
    commands = _parse(_with_escape_first(lines, directives))
    triggers = _triggers(lines, directives, {command.start_line for command in commands if command.sub_cmd})
    instructions = tuple(_instruction(command, triggers.get(command.start_line)) for command in commands)
    return ParsedText(tuple(line.removesuffix("\r") for line in lines), instructions, directives)


def _read_directives(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = _DIRECTIVE.match(line)
        value = found[2].strip() if found else ""
        if found is None or not value or found[1].lower() not in _DIRECTIVES:
            return
        yield found[1].lower(), value


def _with_escape_first(lines: Sequence[str], directives: Mapping[str, str]) -> str:
    """Put the escape directive on the first line if `check`, which this parser does not know, comes before it."""
    names = list(directives)
    if "check" not in names or "escape" not in names[names.index("check") :]:
        return "\n".join(lines)
    return "\n".join((f"# escape={directives['escape']}", *("#" * (len(names) - 1)), *lines[len(names) :]))


def _triggers(lines: Sequence[str], directives: Mapping[str, str], deferring: set[int]) -> dict[int, Instruction]:
    """Parse again without the word ONBUILD, because the parser returns little of the instruction behind it.

    Args:
        lines: The text.
        directives: Its parser directives.
        deferring: The lines on which an ONBUILD starts.
    """
    if not deferring:
        return {}
    without = [
        _ONBUILD.sub(lambda found: " " * len(found[0]), line, count=1) if number in deferring else line
        for number, line in enumerate(lines, start=1)
    ]
    try:
        commands = _parse(_with_escape_first(without, directives))
    except DockerfileSyntaxError:
        return {}
    return {command.start_line: _instruction(command) for command in commands if command.start_line in deferring}


def _instruction(command: Any, trigger: Instruction | None = None) -> Instruction:
    arguments: tuple[str, ...] = command.value
    if arguments == ("",) and not command.json:  # an unknown instruction
        arguments = ()
    return Instruction(
        keyword=(command.cmd or "").upper(),  # a continuation of nothing has none
        arguments=(command.sub_cmd.upper(), *arguments) if command.sub_cmd else arguments,
        flags=command.flags,
        is_json=command.json,
        line=command.start_line,
        last_line=command.end_line,
        source=(command.original or "").partition("\n")[0].strip(),
        heredocs=tuple(Heredoc(one.name, one.content, one.file_descriptor) for one in command.heredocs),
        trigger=trigger,
    )


def _parse(text: str) -> Sequence[Any]:
    from dockerfile import GoParseError

    try:
        return _commands(text)
    except GoParseError as error:
        reason = str(error)
        raise DockerfileSyntaxError(_repair(reason), _error_line(text, reason)) from error
    except UnicodeDecodeError as error:  # it splits the arguments of HEALTHCHECK between bytes
        raise DockerfileSyntaxError("use only ASCII characters in HEALTHCHECK", _error_line(text, "")) from error


def _repair(reason: str) -> str:
    if reason.startswith("invalid escape token"):
        return "use a backslash or a backtick as the escape character"
    return _REPAIRS.get(reason, reason[:_MAX_REASON])


def _commands(text: str) -> Sequence[Any]:
    import dockerfile

    commands: Sequence[Any] = dockerfile.parse_string(text)
    return commands


def _error_line(text: str, reason: str) -> int:
    """Find the line of an error; the parser does not report it.

    A copy of the text in which no instruction can fail has the same instructions on the same lines. The first of them
    that fails separately is the wrong one.
    """
    lines = text.split("\n")
    if "directive" in reason or "escape token" in reason:
        return _wrong_directive(lines)
    names = dict.fromkeys(found[found.lastindex or 0] for found in _HEREDOC_NAME.finditer(text))
    infallible = _FALLIBLE.sub(r"\1x", "\n".join((text, *names))).replace("[", "(")
    try:
        commands = _commands(_NOT_ASCII.sub("x", infallible))
    except ValueError:  # a here-document with a name that is written in another way than it ends
        return 1
    found = [(one.start_line, one.end_line) for one in commands if one.start_line <= len(lines)]
    unterminated = [first for first, last in found if last > len(lines)]
    escape = dict(_read_directives(lines)).get("escape", _ESCAPES[0])

    def fails(part: Sequence[tuple[int, int]]) -> bool:
        return _fails("\n".join((f"# escape={escape}", *lines[part[0][0] - 1 : part[-1][1]])))

    for start in range(0, len(found), _AT_ONCE):
        part = found[start : start + _AT_ONCE]
        if fails(part):
            return next((one[0] for one in part if one[0] in unterminated or fails([one])), 1)
    return 1


def _wrong_directive(lines: Sequence[str]) -> int:
    seen: set[str] = set()
    for number, (name, value) in enumerate(_read_directives(lines), start=1):
        if name in seen or (name == "escape" and value not in _ESCAPES):
            return number
        seen.add(name)
    return 1


def _fails(text: str) -> bool:
    try:
        _commands(text)
    except ValueError:  # GoParseError and UnicodeDecodeError are both
        return True
    return False
