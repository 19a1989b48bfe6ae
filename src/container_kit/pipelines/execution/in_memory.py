"""The memory runtime, for tests, dry runs and runs that only read. It keeps nothing when the process ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import anyio

from container_kit.pipelines.approval import ApprovalDecision, Prompt
from container_kit.pipelines.events import Listener
from container_kit.pipelines.execution.driver import PipelineRun
from container_kit.pipelines.execution.runtime import CancelToken, StepCall, StepOutcome
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse
from container_kit.stages.contract.workspace import Workspace


class MemoryRuntime:
    """Executes steps in the caller's task."""

    def __init__(self, cancellation: CancelToken | None = None, prompt: Prompt | None = None) -> None:
        self.cancellation = cancellation or CancelToken()
        self._prompt = prompt

    async def run_steps(self, calls: Sequence[StepCall]) -> list[StepOutcome]:
        """Execute the calls at the same time."""
        if len(calls) == 1:
            return [await calls[0].work()]
        outcomes: dict[str, StepOutcome] = {}

        async def run_step(call: StepCall) -> None:
            outcomes[call.id] = await call.work()

        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(run_step, call)
        return [outcomes[call.id] for call in calls]

    async def wait_for_approval(self, approval: str, question: str, timeout: float | None) -> ApprovalDecision | None:
        """Prompt a person; without a prompt there is no decision."""
        if self._prompt is None:
            return None
        with anyio.move_on_after(timeout):
            return await self._prompt(approval, question)
        return None


async def run_in_memory(
    plan: Plan,
    request: PipelineRequest,
    *,
    listeners: Sequence[Listener] = (),
    workspace: Workspace | None = None,
    cancellation: CancelToken | None = None,
    prompt: Prompt | None = None,
) -> PipelineResponse:
    """Execute a plan in this task.

    Cancelling the task cancels the run; an atomic run is rolled back first, shielded from the cancellation.

    Args:
        plan: The plan.
        request: Its input.
        listeners: Receive the events.
        workspace: The folders that stages may read; by default the current folder.
        cancellation: Lets another task cancel the run, which then ends with a response.
        prompt: Asks a person at approval points; without it the run fails at them.
    """
    timeout = request.options.timeout or plan.timeout
    run = PipelineRun(
        plan=plan,
        request=request,
        runtime=MemoryRuntime(cancellation, prompt),
        workspace=workspace or Workspace([Path.cwd()]),
        listeners=listeners,
        deadline=None if timeout is None else time.time() + timeout,
    )
    try:
        return await run.execute()
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):  # each rollback has its own time limit
            await run.unwind()
        raise
