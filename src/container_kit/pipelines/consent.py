"""Consent to changing a protected target: asked before the first stage that would."""

from __future__ import annotations

from typing import TypeVar

from container_kit.pipelines.made import Made
from container_kit.pipelines.pipeline import Pipeline, minutes
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.stages.artifacts.target import Target

P = TypeVar("P", bound=Pipeline)

_PATIENCE = minutes(10)


def with_consent(pipeline: P) -> P:
    """Let a pipeline ask here where its target is protected; without consent it changes nothing from here on."""
    return pipeline.add_approval("deploy", question, when=_is_protected, timeout=_PATIENCE)


def question(made: Made) -> str:
    """What is asked, with what a person needs to know to decide."""
    image, options, report = made[Image], made[DeployOptions], made.get(ScanReport)
    name = f" as {options.name}" if options.name else ""
    found = ""
    if report is not None:
        totals = ", ".join(f"{count} {severity}" for severity, count in report.totals.items() if count)
        found = f" Its scan found {totals or 'nothing'}."
    return f"Deploy {image.reference} ({image.id[:19]}){name} to the protected target {made[Target].name}?{found}"


def _is_protected(made: Made) -> bool:
    return made[Target].protected
