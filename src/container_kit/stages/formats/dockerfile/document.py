"""The one reader of Dockerfiles: stages with their base images, instructions with their lines.

`parse_dockerfile` reads any text that BuildKit's parser accepts. `ParsedDockerfile.check` also rejects instructions
that BuildKit would reject before it builds.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

from container_kit.stages.contract.fault import Evidence, NextAction, StageFailure
from container_kit.stages.formats.dockerfile.faults import DOCKERFILE_SYNTAX
from container_kit.stages.formats.dockerfile.instruction import Instruction
from container_kit.stages.formats.dockerfile.limits import DockerfileSyntaxError
from container_kit.stages.formats.dockerfile.parser import ParsedText, parse_text
from container_kit.stages.formats.dockerfile.rules import problem
from container_kit.stages.formats.dockerfile.variables import (
    ExpansionError,
    declare_arguments,
    expand,
    expand_or_keep,
)

PLATFORM_VARIABLES = tuple(
    f"{side}{part}" for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
"""The variables that BuildKit sets by the platforms of a build. Without a value they stay as written."""

_BEGIN = "begin with FROM and a base image; only ARG may come before it"
_MAX_SHOWN = 500


@dataclass(frozen=True, slots=True)
class BuildStage:
    """FROM and the instructions below it."""

    number: int
    """From 0."""
    name: str | None
    """In lower case, as BuildKit has it."""
    base: str
    """The image or the stage, variables expanded; as written if BuildKit cannot expand it."""
    unset: tuple[str, ...]
    """The variables of the base that have no value; BuildKit puts nothing in their place."""
    platform: str | None
    """The value of `--platform`, variables expanded."""
    parent: int | None
    """The number of the stage that it continues; None if the base is an image."""
    start: Instruction
    """The FROM itself."""
    instructions: tuple[Instruction, ...]
    """Without the FROM."""

    @property
    def is_resolved(self) -> bool:
        """Whether the base is known without further values."""
        return bool(self.base) and not self.unset and "$" not in self.base

    def of(self, *keywords: str) -> tuple[Instruction, ...]:
        """Return the instructions of these kinds."""
        return tuple(instruction for instruction in self.instructions if instruction.keyword in keywords)


@dataclass(frozen=True)
class ParsedDockerfile:
    """A parsed Dockerfile."""

    path: str
    """For messages, relative to the root of the source."""
    lines: tuple[str, ...] = field(repr=False)
    """The text without line ends."""
    instructions: tuple[Instruction, ...]
    """All of them, the ARGs before the first FROM included."""
    directives: Mapping[str, str]
    """The parser directives at the top: `syntax`, `escape`, `check`."""
    escape: str
    """The escape character."""
    stages: tuple[BuildStage, ...]
    global_variables: Mapping[str, str]
    """The values of the ARGs before the first FROM."""
    build_args: Mapping[str, str] = field(repr=False)

    def stage(self, target: str | None = None) -> BuildStage | None:
        """Return the stage that a build makes; None if no stage has that name.

        Args:
            target: A stage's name in any case; BuildKit takes no number. None or empty means the last stage.
        """
        if not target:
            return self.stages[-1] if self.stages else None
        return self._named(target.lower())

    def source_stage(self, reference: str) -> BuildStage | None:
        """Return the stage that `--from` of COPY or of a mount means, by number or name; None if it is an image."""
        if reference.isascii() and reference.isdigit():
            number = int(reference[:9])
            return self.stages[number] if number < len(self.stages) else None
        return self._named(reference.lower())

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        """The stages by name; of several with one name the last counts."""
        return {stage.name: stage.number for stage in self.stages if stage.name is not None}

    def _named(self, name: str) -> BuildStage | None:
        number = self._numbers.get(name)
        return None if number is None else self.stages[number]

    def chain(self, stage: BuildStage) -> tuple[BuildStage, ...]:
        """Return the stages that make an image, from the one on its base image to the given one."""
        found = [stage]
        while found[-1].parent is not None:
            found.append(self.stages[found[-1].parent])
        return tuple(reversed(found))

    def base_stage(self, stage: BuildStage) -> BuildStage:
        """Return the stage whose FROM names the base image of a stage: itself, or one that it continues."""
        return self.chain(stage)[0]

    def at(self, line: int) -> Instruction | None:
        """Return the instruction on a line; None between instructions."""
        number = bisect.bisect_right(self.instructions, line, key=lambda instruction: instruction.line) - 1
        found = self.instructions[number] if number >= 0 else None
        return found if found is not None and line <= found.last_line else None

    def source_of(self, instruction: Instruction) -> str:
        """Return the lines of an instruction as they are in the file, here-documents included."""
        return "\n".join(self.lines[instruction.line - 1 : instruction.last_line])

    def check(self) -> None:
        """Reject instructions that BuildKit would reject before it builds anything.

        A Dockerfile without a stage must not reach an engine: Docker Engine 20.10 crashes on it.

        Raises:
            StageFailure: `dockerfile.syntax`.
        """
        previous: Instruction | None = None
        begun = False
        for instruction in self.instructions:
            if repair := problem(instruction, previous):
                raise self.fault(instruction.line, instruction.source, repair)
            begun = begun or instruction.keyword == "FROM"
            if not begun and instruction.keyword != "ARG":
                raise self.fault(instruction.line, instruction.source, _BEGIN)
            previous = instruction
        if not begun:
            raise self.fault(1, "", _BEGIN)

    def fault(self, line: int, text: str, repair: str) -> StageFailure:
        """Make the fault of a line that is wrong.

        Args:
            line: From 1; 0 if it is not known.
            text: The line itself.
            repair: What to write instead.
        """
        return _fault(self.path, line, text, repair)


def parse_dockerfile(
    text: str, path: str = "Dockerfile", build_args: Mapping[str, str] | None = None
) -> ParsedDockerfile:
    """Parse a Dockerfile.

    Args:
        text: Its text.
        path: For messages, relative to the root of the source.
        build_args: Values for ARG; the platform variables may be among them.

    Raises:
        StageFailure: `dockerfile.syntax`, with the line: BuildKit's parser rejects the text, or it is too large.
    """
    try:
        parsed = parse_text(text)
    except DockerfileSyntaxError as error:
        lines = text.split("\n", error.line)[error.line - 1 : error.line]
        raise _fault(path, error.line, "".join(lines), error.reason) from error
    given = dict(build_args or {})
    variables = _global_variables(parsed, given)
    return ParsedDockerfile(
        path=path,
        lines=parsed.lines,
        instructions=parsed.instructions,
        directives=parsed.directives,
        escape=parsed.escape,
        stages=_stages(parsed, variables),
        global_variables=variables,
        build_args=given,
    )


def _fault(path: str, line: int, text: str, repair: str) -> StageFailure:
    where = f"{path}:{line}" if line else path
    return DOCKERFILE_SYNTAX(
        f"{where}: {repair}",
        evidence=[Evidence(kind="instruction", text=text[:_MAX_SHOWN], where=where)],
        next_actions=[NextAction(why=f"Edit {where} first ({repair}), then retry the run.")],
        line=line,
        path=path,
        repair=repair,
    )


def _global_variables(parsed: ParsedText, build_args: Mapping[str, str]) -> dict[str, str]:
    variables = {name: build_args.get(name, f"${name}") for name in PLATFORM_VARIABLES}
    for instruction in parsed.instructions:
        if instruction.keyword == "FROM":
            break
        if instruction.keyword == "ARG":
            declare_arguments(instruction, variables, build_args, escape=parsed.escape)
    return variables


def _stages(parsed: ParsedText, variables: Mapping[str, str]) -> tuple[BuildStage, ...]:
    starts = [number for number, one in enumerate(parsed.instructions) if one.keyword == "FROM"]
    stages: list[BuildStage] = []
    numbers: dict[str, int] = {}
    for start, end in pairwise((*starts, len(parsed.instructions))):
        stage = _stage(parsed.instructions[start:end], parsed.escape, numbers, variables)
        if stage.name is not None:
            numbers[stage.name] = len(stages)
        stages.append(replace(stage, number=len(stages)))
    return tuple(stages)


def _stage(
    instructions: Sequence[Instruction], escape: str, numbers: Mapping[str, int], variables: Mapping[str, str]
) -> BuildStage:
    start, *others = instructions
    words = start.arguments
    written = words[0] if words else ""
    platform = start.flag("platform")
    try:
        base = expand(written, variables, escape=escape)
    except ExpansionError:
        name, unset = written, frozenset[str]()
    else:
        name, unset = base.text or written, base.unset
    return BuildStage(
        number=0,
        name=words[2].lower() if len(words) > 2 and words[1].lower() == "as" else None,
        base=name,
        unset=tuple(sorted(unset)),
        platform=None if platform is None else expand_or_keep(platform, variables, escape=escape),
        parent=numbers.get(name),
        start=start,
        instructions=tuple(others),
    )
