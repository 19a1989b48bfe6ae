"""Consent to changing a protected target: asked before the first stage that would."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.pipeline import Pipeline, minutes
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.stages.artifacts.target import Target

P = TypeVar("P", bound=Pipeline)

_PATIENCE = minutes(10)


def with_consent(pipeline: P, question: Callable[[Artifacts], str]) -> P:
    """Let a pipeline ask here where its target is protected; without consent it changes nothing from here on.

    Args:
        question: The change, as a question without its end: the target and the question mark are put behind it.
    """

    def asked(made: Artifacts) -> str:
        return f"{question(made)} on the protected target {made[Target].name}?"

    return pipeline.add_approval("consent", asked, when=_is_protected, timeout=_PATIENCE)


def to_deploy(made: Artifacts) -> str:
    """What is deployed, with what a person needs to know to decide."""
    image, options, report = made[Image], made[DeployOptions], made.get(ScanReport)
    name = f" as {options.name}" if options.name else ""
    found = ""
    if report is not None:
        totals = ", ".join(f"{count} {severity}" for severity, count in report.totals.items() if count)
        found = f", whose scan found {totals or 'nothing'},"
    return f"Deploy {image.reference} ({image.id[:19]}){found}{name}"


def _is_protected(made: Artifacts) -> bool:
    return made[Target].protected
