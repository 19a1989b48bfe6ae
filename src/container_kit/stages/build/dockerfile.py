"""Reading a Dockerfile: its instructions with their lines, and the mistakes that can be seen before a build."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure

DOCKERFILE_SYNTAX = FaultCode(
    "dockerfile.syntax",
    means="A line of the Dockerfile is not an instruction, or lacks what the instruction needs.",
    hint="Correct line {line} of {path}: {repair}.",
)
DOCKERFILE_NO_BASE = FaultCode(
    "dockerfile.no_base",
    means="The Dockerfile is empty, or an instruction comes before the first FROM.",
    hint="Begin {path} with FROM and a base image; only ARG may come before it.",
)

FAULTS = (DOCKERFILE_SYNTAX, DOCKERFILE_NO_BASE)

INSTRUCTIONS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
_HEREDOC = re.compile(r"<<(-?)\s*([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2")
_FLAGS = re.compile(r"(?:--\S+\s+)*")
_STAGE_NAME = re.compile(r"\s+as\s+(\S+)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continued lines joined."""

    word: str
    """In capitals."""
    rest: str
    line: int
    """Its first line, from 1."""
    last_line: int

    @property
    def text(self) -> str:
        """The instruction on one line."""
        return f"{self.word} {self.rest}".strip()

    @property
    def arguments(self) -> str:
        """What follows the flags."""
        return self.rest[_FLAGS.match(self.rest).end() :]  # type: ignore[union-attr] # it matches the empty text


@dataclass(frozen=True, slots=True)
class BuildStage:
    """What one FROM begins."""

    name: str | None
    base: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class ParsedDockerfile:
    """A Dockerfile, taken apart."""

    path: str
    """For messages: relative to the source's root."""
    instructions: tuple[Instruction, ...] = ()
    directives: dict[str, str] = field(default_factory=dict)

    @property
    def stages(self) -> tuple[BuildStage, ...]:
        """The build stages in their order."""
        starts = [index for index, one in enumerate(self.instructions) if one.word == "FROM"]
        pairs = zip(starts, [*starts[1:], len(self.instructions)], strict=True)
        return tuple(_stage(self.instructions[start:end]) for start, end in pairs)

    def check(self) -> None:
        """Look for the mistakes that need no engine to be found.

        Raises:
            StageFailure: `dockerfile.syntax` or `dockerfile.no_base`.
        """
        for instruction in self.instructions:
            if instruction.word not in INSTRUCTIONS:
                raise self._unknown(instruction)
            if problem := _problem(instruction):
                raise self.syntax(instruction.line, instruction.text, problem)
        first = next((one for one in self.instructions if one.word != "ARG"), None)
        if first is None or first.word != "FROM":
            where = f"{self.path}:{first.line}" if first else self.path
            says = f"{first.word} comes before FROM" if first else "it has no instruction"
            evidence = [Evidence(kind="instruction", text=first.text if first else "", where=where)]
            action = NextAction(why=f"Begin {self.path} with FROM and a base image, then make the same call again.")
            raise DOCKERFILE_NO_BASE(
                f"{self.path} has no base image: {says}", evidence=evidence, next_actions=[action], path=self.path
            )

    def syntax(self, line: int, text: str, repair: str) -> StageFailure:
        """Make the fault of a line that is wrong.

        Args:
            line: From 1; 0 where it is not known.
            text: The line itself.
            repair: What to write instead.
        """
        where = f"{self.path}:{line}" if line else self.path
        return DOCKERFILE_SYNTAX(
            f"{where}: {repair}",
            evidence=[Evidence(kind="instruction", text=text[:500], where=where)],
            next_actions=[NextAction(why=f"Edit {where} first ({repair}), then make the same call again.")],
            line=line,
            path=self.path,
            repair=repair,
        )

    def _unknown(self, instruction: Instruction) -> StageFailure:
        near = difflib.get_close_matches(instruction.word, INSTRUCTIONS, 1, 0.5)
        if not near:
            repair = f"{instruction.word[:40]!r} is not an instruction"
            previous = next((i for i in reversed(self.instructions) if i.last_line < instruction.line), None)
            if previous is not None and previous.word == "RUN":
                repair += "; end the line before with a backslash if it belongs to that RUN"
        else:
            repair = f"{instruction.word} is not an instruction, {near[0]} is"
        return self.syntax(instruction.line, instruction.text, repair)


def parse(content: str, path: str = "Dockerfile") -> ParsedDockerfile:
    """Take a Dockerfile apart (https://docs.docker.com/reference/dockerfile/#format). Nothing is refused here."""
    lines = content.removeprefix("\ufeff").splitlines()
    directives = dict(_directives(lines))
    return ParsedDockerfile(path, tuple(_instructions(lines, directives.get("escape", "\\"))), directives)


def _directives(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = _DIRECTIVE.match(line.strip())
        if found is None:
            return
        yield found[1].lower(), found[2]


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    at = 0
    while at < len(lines):
        start, joined = at, ""
        while at < len(lines):
            line = lines[at].strip() if not joined else lines[at].rstrip()
            at += 1
            if not line.strip() or line.lstrip().startswith("#"):
                if not joined:
                    start = at
                continue
            joined += line.removesuffix(escape).lstrip() if line.endswith(escape) else line.lstrip()
            if not line.endswith(escape):
                break
            joined = joined.rstrip() + " "
        if joined:
            word, _, rest = joined.strip().partition(" ")
            at = _after_heredocs(lines, at, word, rest)
            yield Instruction(word.upper(), rest.strip(), start + 1, at)


def _after_heredocs(lines: list[str], at: int, word: str, rest: str) -> int:
    """Skip the bodies of here-documents that an instruction opens."""
    if word.upper() not in {"RUN", "COPY", "ADD"}:
        return at
    for dash, _, name in _HEREDOC.findall(rest):
        end = next((i for i in range(at, len(lines)) if (lines[i].lstrip("\t") if dash else lines[i]) == name), None)
        if end is not None:
            at = end + 1
    return at


def _stage(instructions: tuple[Instruction, ...]) -> BuildStage:
    words = instructions[0].arguments
    name = _STAGE_NAME.search(words)
    return BuildStage(name[1] if name else None, words[: name.start()].strip() if name else words.strip(), instructions)


def _problem(instruction: Instruction) -> str | None:
    """Say what an instruction lacks, where that is sure."""
    words = instruction.arguments.split()
    if not words:
        return f"{instruction.word} needs an argument"
    if instruction.word == "FROM" and not (len(words) == 1 or (len(words) == 3 and words[1].lower() == "as")):
        return "FROM takes one image, or `IMAGE AS NAME`"
    if instruction.word in {"COPY", "ADD"} and len(words) < 2 and "<<" not in instruction.rest:
        return f"{instruction.word} needs a source and a destination"
    if instruction.word == "ENV" and len(words) < 2 and "=" not in words[0]:
        return "ENV needs a name and a value"
    return None
