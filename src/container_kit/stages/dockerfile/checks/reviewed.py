"""What a check looks at, and how it says what it found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from container_kit.stages.artifacts.analysis import Module
from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.formats.dockerfile_stages import BuildStage, Instruction


@dataclass(frozen=True, slots=True)
class ReviewContext:
    """A Dockerfile and all that is known around it."""

    lines: tuple[str, ...]
    stages: tuple[BuildStage, ...]
    module: Module | None
    tree: ContextTree
    """The build context."""
    manifests: tuple[str, ...]
    """The module's manifests that lie in the build context, relative to it."""
    ignored: tuple[str, ...] | None
    """The patterns of the ignore file; None where there is none."""

    def source(self, instruction: Instruction) -> str:
        """The lines of an instruction as they are."""
        return "\n".join(self.lines[instruction.first_line - 1 : instruction.last_line])

    @property
    def last(self) -> BuildStage:
        """The stage that is shipped."""
        return self.stages[-1]

    def start(self) -> Instruction | None:
        """What starts the application: the last CMD, or the last ENTRYPOINT where there is no CMD."""
        found = self.last.of("CMD") or self.last.of("ENTRYPOINT")
        return found[-1] if found else None

    def base(self, stage: BuildStage) -> str:
        """The image that a stage rests on, through other stages, with the global arguments' defaults put in."""
        earlier = {known.name: known for known in self.stages[: self.stages.index(stage)] if known.name}
        seen = 0
        while stage.base in earlier and seen < len(self.stages):
            stage, seen = earlier[stage.base], seen + 1
        return stage.base


def problem(
    rule: str,
    where: Instruction,
    severity: Literal["error", "warning", "info"],
    message: str,
    rationale: str,
    patch: Patch | None = None,
) -> DockerfileProblem:
    """A problem at an instruction."""
    return DockerfileProblem(
        id=f"{rule}:{where.first_line}",
        rule=rule,
        line=where.first_line,
        severity=severity,
        message=message,
        rationale=rationale,
        patch=patch,
    )


def replace(instruction: Instruction, text: str) -> Patch:
    """Put a text in an instruction's place."""
    return Patch(first_line=instruction.first_line, last_line=instruction.last_line, replacement=text)


def before(instruction: Instruction, text: str) -> Patch:
    """Put a text before an instruction."""
    return Patch(first_line=instruction.first_line, last_line=instruction.first_line - 1, replacement=text)


def substitute(file: ReviewContext, instruction: Instruction, old: str, new: str) -> Patch | None:
    """Replace what a pattern finds in an instruction's own lines; None where that changes nothing."""
    text = file.source(instruction)
    changed = re.sub(old, new, text)
    return replace(instruction, changed) if changed != text else None
