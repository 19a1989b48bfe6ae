"""Reading a Dockerfile as far as needed to say which line made a layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ESCAPE = re.compile(r"^#\s*escape\s*=\s*([`\\])\s*$", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continued lines joined."""

    line: int
    keyword: str
    """In upper case."""
    text: str
    """What follows the keyword, comments left out; a heredoc's body is left out too."""
    heredoc: bool = False


@dataclass(frozen=True, slots=True)
class Lineage:
    """The instructions that make an image, those of the stages that it builds on included, and what is below them."""

    base: str
    """The base image's reference, variables replaced by their values where known."""
    base_line: int
    """The line of its FROM."""
    instructions: tuple[Instruction, ...]


def parse(content: str) -> list[Instruction]:
    """Split a Dockerfile into instructions; what makes no sense is left out, for the builder will have said so."""
    lines = content.splitlines()
    found = _ESCAPE.match(lines[0]) if lines else None
    escape = found.group(1) if found else "\\"
    made: list[Instruction] = []
    at = 0
    while at < len(lines):
        start, (text, at) = at, _joined(lines, at, escape)
        keyword, _, rest = text.strip().partition(" ")
        if not keyword or keyword.startswith("#"):
            continue
        ends = (
            [match.group(2) for match in _HEREDOC.finditer(rest)] if keyword.upper() in {"RUN", "COPY", "ADD"} else []
        )
        for end in ends:
            while at < len(lines) and lines[at].strip() != end:
                at += 1
            at += 1
        made.append(Instruction(start + 1, keyword.upper(), rest.strip(), heredoc=bool(ends)))
    return made


def _joined(lines: list[str], at: int, escape: str) -> tuple[str, int]:
    """Join the line at `at` with those that continue it; return it and the number of the next."""
    text = ""
    while at < len(lines):
        line = lines[at].rstrip()
        at += 1
        if text and (not line.strip() or line.lstrip().startswith("#")):
            continue  # comments and empty lines inside a continued instruction do not end it
        if not line.endswith(escape) or line.lstrip().startswith("#"):
            return text + line, at
        text += line[:-1] + " "
    return text, at


def lineage(content: str, target: str | None = None, build_args: Mapping[str, str] | None = None) -> Lineage | None:
    """Follow a Dockerfile's stage down to its base image.

    Args:
        content: The Dockerfile.
        target: The stage that was built; None means the last one.
        build_args: The values of ARGs before the first FROM.

    Returns:
        None where there is no such stage.
    """
    arguments: dict[str, str] = {}
    stages: list[_Stage] = []
    for instruction in parse(content):
        if instruction.keyword == "FROM":
            stages.append(_stage(instruction, arguments))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            name, _, default = instruction.text.partition("=")
            arguments[name.strip()] = (build_args or {}).get(name.strip(), default.strip().strip("\"'"))
    stage = _named(stages, target) if target else (stages[-1] if stages else None)
    return _follow(stages, stage) if stage else None


@dataclass(frozen=True, slots=True)
class _Stage:
    line: int
    base: str
    name: str
    instructions: list[Instruction]


def _stage(instruction: Instruction, arguments: Mapping[str, str]) -> _Stage:
    words = [word for word in instruction.text.split() if not word.startswith("--")]
    name = words[2] if len(words) == 3 and words[1].lower() == "as" else ""
    base = _VARIABLE.sub(lambda found: _value(found, arguments), words[0]) if words else ""
    return _Stage(instruction.line, base, name.lower(), [])


def _value(found: re.Match[str], arguments: Mapping[str, str]) -> str:
    return arguments.get(found.group(1) or found.group(2)) or found.group(3) or found.group(0)


def _named(stages: list[_Stage], name: str) -> _Stage | None:
    if name.isdigit() and int(name) < len(stages):
        return stages[int(name)]
    return next((stage for stage in reversed(stages) if stage.name == name.lower()), None)


def _follow(stages: list[_Stage], stage: _Stage) -> Lineage:
    instructions = list(stage.instructions)
    while parent := _named(stages[: stages.index(stage)], stage.base):
        instructions = [*parent.instructions, *instructions]
        stage = parent
    return Lineage(stage.base, stage.line, tuple(instructions))
