"""The approval gate: a run passes an approval point only with a person's approval."""

from __future__ import annotations

import time

from container_kit.pipelines.approval import APPROVAL_REJECTED, APPROVAL_TIMED_OUT, Approval, ApprovalDecision
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.execution.event_emitter import EventEmitter
from container_kit.pipelines.execution.runtime import Runtime
from container_kit.pipelines.execution.stage_runner import RUN_CANCELLED
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.fault import Fault, NextAction
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.tool_names import ToolName

_ROLLBACK_QUESTION = 'Roll back the approved change "{}"?'


class ApprovalGate:
    """The approval points of one run.

    Args:
        deadline: Seconds since the epoch; None for a run without a deadline.
        dry_run: A dry run passes all points without a question.
    """

    def __init__(
        self,
        run_id: str,
        plan: Plan,
        runtime: Runtime,
        events: EventEmitter,
        redact: Redactor,
        deadline: float | None,
        *,
        dry_run: bool,
    ) -> None:
        self._run_id = run_id
        self._plan = plan
        self._runtime = runtime
        self._events = events
        self._redact = redact
        self._deadline = deadline
        self._dry_run = dry_run

    async def check(self, group: int, artifacts: Artifacts, *, rollback: bool = False) -> Fault | None:
        """Request approval at all points before a group, and return a fault if the run may not continue.

        Args:
            group: The number of the group.
            artifacts: The artifacts so far.
            rollback: Whether to request approval for undoing the stages after the points.
        """
        if self._dry_run:
            return None
        points = [point for point in self._plan.approvals.get(group, ()) if not point.when or point.when(artifacts)]
        template = _ROLLBACK_QUESTION if rollback else "{}"
        questions = [(point, self._redact(template.format(point.question(artifacts)))) for point in points]
        for point, question in questions:
            self._events.emit("approval_requested", point.name, message=question)
        for point, question in questions:
            fault = await self._resolve(point, question)
            if fault is not None:
                following = self._plan.groups[group : group + 1]
                stage = following[0][0].name if following else None
                actions = () if rollback else self._retry_actions(fault)
                return fault.model_copy(update={"stage": stage, "next_actions": (*actions, *fault.next_actions)})
        return None

    def _retry_actions(self, fault: Fault) -> tuple[NextAction, ...]:
        """Return the action that continues the run from here and keeps its artifacts."""
        if fault.code != APPROVAL_TIMED_OUT.code:
            return ()
        arguments = {"run": self._run_id}
        return (NextAction(tool=ToolName.RETRY_RUN, arguments=arguments, why="continue when a person can answer"),)

    async def _resolve(self, approval: Approval, question: str) -> Fault | None:
        remaining = None if self._deadline is None else max(0.0, self._deadline - time.time())
        timeout = min((limit for limit in (remaining, approval.timeout) if limit is not None), default=None)
        decision = await self._runtime.wait_for_approval(approval.name, question, timeout)
        if self._runtime.cancellation.requested:
            return RUN_CANCELLED("the run was cancelled while it awaited approval").fault
        if decision is None or decision.no_approver:
            again = NextAction(why="ask again when a person can answer")
            return APPROVAL_TIMED_OUT(f"no decision on: {question}", next_actions=[again], question=question).fault
        verb = "approved" if decision.approved else "rejected"
        message = f"{verb} by {decision.decided_by} {decision.comment}".rstrip()
        self._events.emit("approval_resolved", approval.name, message=message)
        return None if decision.approved else _rejection(decision)


def _rejection(decision: ApprovalDecision) -> Fault:
    preview = NextAction(why="preview the changes without making them", arguments={"dry_run": True})
    reason = f": {decision.comment}" if decision.comment else ""
    message = f"{decision.decided_by} rejected the change{reason}"
    return APPROVAL_REJECTED(message, next_actions=[preview], decided_by=decision.decided_by).fault
