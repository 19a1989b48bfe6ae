"""A Dockerfile read by BuildKit's own parser: instructions with their lines, grouped by stage."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.fault import FaultCode

UNPARSABLE = FaultCode(
    "dockerfile.unparsable",
    means="BuildKit's parser cannot read the Dockerfile.",
    hint="Correct what the parser names: {reason}.",
)


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
    name: str | None
    instructions: tuple[Instruction, ...]

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
    for command in commands:
        word = command.cmd.upper()
        if word == "FROM":
            name = command.value[2] if len(command.value) > 2 else None
            stages.append(BuildStage(command.value[0], name, ()))
        elif stages:
            made = Instruction(word, command.value, command.flags, command.json, command.start_line, command.end_line)
            last = stages[-1]
            stages[-1] = BuildStage(last.base, last.name, (*last.instructions, made))
    return stages
