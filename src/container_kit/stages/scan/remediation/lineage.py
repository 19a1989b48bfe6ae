"""The lineage of an image: the instructions of its Dockerfile that create layers, down to the base image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.formats.dockerfile import Instruction, parse_dockerfile


@dataclass(frozen=True, slots=True)
class Lineage:
    """The instructions of an image, including those of the stages that it continues, and its base image."""

    base: str
    """The base image's reference, with variables expanded as far as their values are known."""
    base_line: int
    """The line of its FROM."""
    instructions: tuple[Instruction, ...]


def read_lineage(
    content: str, target: str | None = None, build_args: Mapping[str, str] | None = None
) -> Lineage | None:
    """Read the lineage of a stage of a Dockerfile.

    Args:
        content: The Dockerfile.
        target: The stage that was built, by name or number; None means the last one.
        build_args: The values of build arguments.

    Returns:
        None if there is no such stage, or the Dockerfile cannot be parsed.
    """
    try:
        parsed = parse_dockerfile(content, build_args=build_args)
    except StageFailure:
        return None
    stage = (parsed.source_stage(target) if target else None) or parsed.stage(target)
    if stage is None:
        return None
    chain = parsed.chain(stage)
    instructions = tuple(instruction for part in chain for instruction in part.instructions)
    return Lineage(chain[0].base, chain[0].start.line, instructions)
