"""Approval points: positions in a pipeline at which a run waits for the decision of a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from container_kit.pipelines.artifacts import Artifacts
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import FaultCode

APPROVAL_REJECTED = FaultCode(
    "approval.rejected",
    means="A person rejected the change.",
    hint="Clarify with {decided_by} how the change should differ; then start a new run.",
)
APPROVAL_TIMED_OUT = FaultCode(
    "approval.timed_out",
    means="Nobody decided in time, or no approver could be reached.",
    hint="Start the run again when a person can answer: {question}",
)

FAULTS = (APPROVAL_REJECTED, APPROVAL_TIMED_OUT)


class ApprovalDecision(Artifact):
    """The decision at an approval point."""

    approved: bool
    decided_by: str = "somebody"
    comment: str = ""
    cancelled: bool = False
    """The run was cancelled while it awaited approval."""
    no_approver: bool = False
    """No person could be asked."""


Prompt = Callable[[str, str], Awaitable[ApprovalDecision | None]]
"""Puts the question of an approval point to a person: point, question. Returns None if no person could be asked."""


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval point of a pipeline."""

    name: str
    question: Callable[[Artifacts], str]
    """Returns the question from the artifacts so far."""
    when: Callable[[Artifacts], bool] | None = None
    """Returns whether approval is required; None means always."""
    timeout: float | None = None
    """Seconds to wait; None means until the run's deadline."""
