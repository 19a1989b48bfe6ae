"""Approval for changing a protected target, before the first stage that changes it.

The question consists of facts that a stage looked up. Each is quoted and bounded, and the place comes first, so that
no text of a caller or a repository can look like a part of the question.
"""

from __future__ import annotations

from typing import Any, TypeVar

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.pipeline import Pipeline, minutes
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.planned_change import PlannedChange
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.stage import Stage
from container_kit.stages.deploy.targets import Targets

P = TypeVar("P", bound=Pipeline)

_TIMEOUT = minutes(10)
_LONGEST = 100
_LONGEST_IMAGE = 180
"""A reference with a digest of 64 characters."""


def with_consent(pipeline: P, describe: Stage[Any], action: str, targets: Targets) -> P:
    """Require approval here if the target is protected. Without it the run changes nothing from here on.

    Args:
        pipeline: The pipeline.
        describe: The stage that looks up the `PlannedChange`.
        action: The change as a verb, such as `deploy`.
        targets: The configured targets.
    """

    def is_protected(artifacts: Artifacts) -> bool:
        """Return whether the target is protected now; a run that is retried has the target of its start."""
        target = artifacts[Target]
        return target.protected or any(other.protected for other in targets if other.name == target.name)

    def question(artifacts: Artifacts) -> str:
        return question_text(action, artifacts)

    pipeline.add_conditional_stage(describe, when=is_protected)
    return pipeline.add_approval("consent", question, when=is_protected, timeout=_TIMEOUT)


def question_text(action: str, artifacts: Artifacts) -> str:
    """Return the question: the place, the application, and the facts for a decision."""
    target, change = artifacts[Target], artifacts[PlannedChange]
    image = artifacts.get(Image)
    named = f"{image.reference} {image.id}" if image is not None and image.id else change.image
    facts = [f"On the protected target {target.name} ({quote(change.place)}): {action} {quote(change.application)}"]
    facts += [f"image {quote(named, _LONGEST_IMAGE)}"] if named else []
    facts += [f"replaces {quote(change.replaces)}" if change.replaces else "replaces nothing"]
    facts += [f"command {quote(change.command)}"] if change.command else []
    facts += [f"contents {quote(change.contents)}"] if change.contents else []
    report = artifacts.get(ScanReport)
    if report is not None:
        totals = ", ".join(f"{count} {severity}" for severity, count in report.totals.items() if count)
        facts.append(f"the scan found {totals or 'nothing'}")
    return f"{'; '.join(facts)}?"


def quote(text: str, longest: int = _LONGEST) -> str:
    """Return a text in quotation marks, in printable ASCII: others are escaped as in Python, and a long one is cut."""
    short = text if len(text) <= longest else f"{text[: longest - 20]}...{text[-17:]}"
    escaped = short.replace("\\", "\\\\").replace('"', '\\"')
    printable = "".join(c if " " <= c <= "~" else c.encode("unicode_escape", "surrogatepass").decode() for c in escaped)
    return f'"{printable}"'
