"""Asking at approval points: a run goes on past them with consent alone."""

from __future__ import annotations

import time

from container_kit.pipelines.approval import APPROVAL_REFUSED, APPROVAL_UNANSWERED, Approval
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.execution.event_emitter import EventEmitter
from container_kit.pipelines.execution.runtime import Runtime
from container_kit.pipelines.execution.stage_runner import RUN_CANCELLED
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.fault import Fault, NextAction
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.tool_names import ToolName

_UNDO = 'Undo what was asked as "{}"?'


class ApprovalGate:
    """Asks for one run.

    Args:
        deadline: Seconds since the epoch; None where the run may take as long as it likes.
        dry_run: Nothing is asked in one.
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
        self._reporter = events
        self._redact = redact
        self._deadline = deadline
        self._dry_run = dry_run

    async def check(self, number: int, made: Artifacts, *, undoing: bool = False) -> Fault | None:
        """Ask at the approval points before a group, at all of them together; why the run may not go on.

        Args:
            undoing: What is asked is whether to undo what stands behind the points.
        """
        if self._dry_run:
            return None
        points = [point for point in self._plan.approvals.get(number, ()) if point.when is None or point.when(made)]
        asked = [
            (point, self._redact(_UNDO.format(point.question(made)) if undoing else point.question(made)))
            for point in points
        ]
        for point, question in asked:
            self._reporter.emit("approval_requested", point.name, message=question)
        for point, question in asked:
            fault = await self._answered(point, question)
            if fault is not None:
                following = self._plan.groups[number : number + 1]
                stage = following[0][0].name if following else None
                actions = () if undoing else self._once_somebody_can_answer(fault)
                return fault.model_copy(update={"stage": stage, "next_actions": (*actions, *fault.next_actions)})
        return None

    def _once_somebody_can_answer(self, fault: Fault) -> tuple[NextAction, ...]:
        """To go on from here, which keeps what was made."""
        if fault.code != APPROVAL_UNANSWERED.code:
            return ()
        return (
            NextAction(tool=ToolName.RETRY_RUN, arguments={"run": self._run_id}, why="go on once somebody can answer"),
        )

    async def _answered(self, approval: Approval, question: str) -> Fault | None:
        left = None if self._deadline is None else max(0.0, self._deadline - time.time())
        timeout = min((limit for limit in (left, approval.timeout) if limit is not None), default=None)
        answer = await self._runtime.answer(approval.name, question, timeout)
        if self._runtime.cancellation.requested:
            return RUN_CANCELLED("the run was cancelled while it waited for an answer").fault
        if answer is None or answer.no_approver:
            again = NextAction(why="ask again once somebody can answer")
            return APPROVAL_UNANSWERED(f"no answer to: {question}", next_actions=[again], question=question).fault
        said = "approved" if answer.approved else "refused"
        message = f"{said} by {answer.by} {answer.comment}".rstrip()
        self._reporter.emit("approval_resolved", approval.name, message=message)
        if answer.approved:
            return None
        show = NextAction(why="show what would be done, changing nothing", arguments={"dry_run": True})
        reason = f": {answer.comment}" if answer.comment else ""
        return APPROVAL_REFUSED(f"{answer.by} refused{reason}", next_actions=[show], by=answer.by).fault
