"""Approval points: where a run waits for a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from container_kit.pipelines.artifacts import Artifacts
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import FaultCode

APPROVAL_REFUSED = FaultCode(
    "approval.rejected",
    means="Somebody answered no.",
    hint="Ask {by} what would have to change; then ask for a new run.",
)
APPROVAL_UNANSWERED = FaultCode(
    "approval.timed_out",
    means="Nobody answered in time, or there was nobody to ask.",
    hint="Ask for the run again when somebody can answer: {question}",
)

FAULTS = (APPROVAL_REFUSED, APPROVAL_UNANSWERED)


class ApprovalDecision(Artifact):
    """What somebody said at an approval point."""

    approved: bool
    by: str = "somebody"
    comment: str = ""
    cancelled: bool = False
    """True where the run was cancelled while it waited."""
    no_approver: bool = False
    """True where nobody could be asked after all."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A point in a pipeline that is passed only with somebody's consent."""

    name: str
    question: Callable[[Artifacts], str]
    """The question to put, from the artifacts so far."""
    when: Callable[[Artifacts], bool] | None = None
    """Whether consent is needed at all."""
    timeout: float | None = None
    """Seconds to wait; None means the pipeline's deadline."""
