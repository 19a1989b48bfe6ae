"""Approval for changing a protected target, before the first stage that changes it."""

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

_TIMEOUT = minutes(10)


def with_consent(pipeline: P, question: Callable[[Artifacts], str]) -> P:
    """Require approval here if the target is protected. Without it the run changes nothing from here on.

    Args:
        pipeline: The pipeline.
        question: Returns the change, to which the target and a question mark are appended.
    """

    def full_question(artifacts: Artifacts) -> str:
        return f"{question(artifacts)} on the protected target {artifacts[Target].name}?"

    return pipeline.add_approval("consent", full_question, when=_is_protected, timeout=_TIMEOUT)


def to_deploy(artifacts: Artifacts) -> str:
    """Return the deployment as a change, with the facts for a decision."""
    image, options, report = artifacts[Image], artifacts[DeployOptions], artifacts.get(ScanReport)
    name = f" as {options.name}" if options.name else ""
    scan = ""
    if report is not None:
        totals = ", ".join(f"{count} {severity}" for severity, count in report.totals.items() if count)
        scan = f", whose scan found {totals or 'nothing'},"
    return f"Deploy {image.reference} ({image.id[:19]}){scan}{name}"


def _is_protected(artifacts: Artifacts) -> bool:
    return artifacts[Target].protected
