"""The input of a check, and the problems and patches that it creates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from container_kit.stages.artifacts.analysis import Module
from container_kit.stages.artifacts.dockerfile import DockerfileProblem, Patch
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.context_tree import ContextTree
from container_kit.stages.formats.dockerfile import (
    BuildStage,
    ImageConfiguration,
    Instruction,
    ParsedDockerfile,
    configuration_of,
)
from container_kit.stages.formats.dockerignore import DockerIgnore


@dataclass(frozen=True)
class ReviewContext:
    """A Dockerfile with its module and its build context."""

    dockerfile: ParsedDockerfile
    module: Module | None
    tree: ContextTree
    """The build context."""
    manifests: tuple[str, ...]
    """The module's manifests in the build context, relative to it."""
    ignored: DockerIgnore | None
    """The patterns of the ignore file; None without an ignore file."""

    @property
    def stages(self) -> tuple[BuildStage, ...]:
        """The stages, in order."""
        return self.dockerfile.stages

    def is_ignored(self, path: str) -> bool:
        """Return whether the ignore file excludes a path of the build context."""
        return self.ignored is not None and self.ignored.find(path) is not None

    @property
    def last(self) -> BuildStage:
        """The stage that the build returns."""
        return self.dockerfile.stages[-1]

    @cached_property
    def configuration(self) -> ImageConfiguration:
        """The configuration of the last stage's image."""
        return configuration_of(self.dockerfile, self.last)

    def source(self, instruction: Instruction) -> str:
        """Return the lines of an instruction as written."""
        return self.dockerfile.source_of(instruction)

    def start(self) -> Instruction | None:
        """Return the instruction that starts the application: the last CMD, or the last ENTRYPOINT without a CMD."""
        instructions = self.last.of("CMD") or self.last.of("ENTRYPOINT")
        return instructions[-1] if instructions else None

    def base(self, stage: BuildStage) -> str:
        """Return the base image of a stage, also if it continues another stage."""
        return self.dockerfile.base_stage(stage).base


def problem(
    rule: str,
    where: Instruction,
    severity: Literal["error", "warning", "info"],
    message: str,
    rationale: str,
    patch: Patch | None = None,
) -> DockerfileProblem:
    """Create the problem of an instruction."""
    return DockerfileProblem(
        id=f"{rule}:{where.line}",
        rule=rule,
        line=where.line,
        severity=severity,
        message=message,
        rationale=rationale,
        patch=patch,
    )


def replace(instruction: Instruction, text: str) -> Patch:
    """Replace an instruction by a text."""
    return Patch(first_line=instruction.line, last_line=instruction.last_line, replacement=text)


def before(instruction: Instruction, text: str) -> Patch:
    """Insert a text before an instruction."""
    return Patch(first_line=instruction.line, last_line=instruction.line - 1, replacement=text)


def substitute(file: ReviewContext, instruction: Instruction, old: str, new: str) -> Patch | None:
    """Replace the matches of a pattern in an instruction's lines; return None if nothing changes."""
    text = file.source(instruction)
    changed = re.sub(old, new, text)
    return replace(instruction, changed) if changed != text else None
