"""A Dockerfile read by BuildKit's own parser: instructions with their lines, grouped by stage."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from container_kit.stages.contract.fault import FaultCode

UNPARSABLE = FaultCode(
    "dockerfile.unparsable",
    means="BuildKit's parser cannot read the Dockerfile.",
    hint="Correct what the parser names: {reason}.",
)

_MAY_BE_EMPTY = {"CMD", "ENTRYPOINT", "SHELL"}
"""`ENTRYPOINT []` takes back what the base image has."""
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-[^}]*)?\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction."""

    word: str
    """In capitals."""
    value: tuple[str, ...]
    flags: tuple[str, ...]
    json: bool
    first_line: int
    last_line: int

    @property
    def text(self) -> str:
        """The arguments as one text."""
        return " ".join(self.value)


@dataclass(frozen=True, slots=True)
class BuildStage:
    """FROM and what follows it."""

    base: str
    """The image or the stage, with the defaults of global arguments put in."""
    name: str | None
    instructions: tuple[Instruction, ...]
    start: Instruction
    """The FROM itself."""

    def of(self, *words: str) -> list[Instruction]:
        """The instructions of these kinds."""
        return [instruction for instruction in self.instructions if instruction.word in words]


def read_stages(text: str) -> list[BuildStage]:
    """Split a Dockerfile into its stages; what comes before the first FROM is left out.

    Raises:
        StageFailure: `dockerfile.unparsable`.
    """
    import dockerfile

    try:
        commands = dockerfile.parse_string(text)
    except dockerfile.GoParseError as error:
        raise UNPARSABLE(f"the Dockerfile cannot be read: {error}", reason=str(error)) from error
    stages: list[BuildStage] = []
    defaults: dict[str, str] = {}
    for command in commands:
        word = (command.cmd or "").upper()  # nothing but a continued line has none
        if not command.value and word not in _MAY_BE_EMPTY:
            raise UNPARSABLE(
                f"line {command.start_line} is {word!r} and nothing else", reason="an instruction needs arguments"
            )
        made = Instruction(word, command.value, command.flags, command.json, command.start_line, command.end_line)
        if word == "FROM":
            name = command.value[2] if len(command.value) > 2 else None
            stages.append(BuildStage(_with_defaults(command.value[0], defaults), name, (), made))
        elif stages:
            stages[-1] = replace(stages[-1], instructions=(*stages[-1].instructions, made))
        elif word == "ARG":
            defaults |= {name: value.strip("\"'") for name, _, value in (one.partition("=") for one in command.value)}
    return stages


def _with_defaults(text: str, defaults: dict[str, str]) -> str:
    """Put in what global arguments say; what has no default stays a variable."""
    return _VARIABLE.sub(lambda found: defaults.get(found[1] or found[2]) or found[0], text)
