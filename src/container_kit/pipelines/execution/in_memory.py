"""The memory runtime: for tests, dry runs and what only reads. Nothing is kept when the process ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.events import Listener
from container_kit.pipelines.execution.driver import PipelineRun
from container_kit.pipelines.execution.runtime import CancelToken, StepCall, StepOutcome
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse
from container_kit.stages.contract.workspace import Workspace

Ask = Callable[[str, str], Awaitable[ApprovalDecision]]
"""Puts the question of an approval point to a person: its name, the question."""


class MemoryRuntime:
    """Carries out steps in the caller's task and keeps nothing."""

    def __init__(self, cancellation: CancelToken | None = None, ask: Ask | None = None) -> None:
        self.cancellation = cancellation or CancelToken()
        self._ask = ask

    async def steps(self, calls: Sequence[StepCall]) -> list[StepOutcome]:
        """Carry out the calls, several in parallel."""
        if len(calls) == 1:
            return [await calls[0].work()]
        outcomes: dict[str, StepOutcome] = {}

        async def execute_run(call: StepCall) -> None:
            outcomes[call.id] = await call.work()

        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(execute_run, call)
        return [outcomes[call.id] for call in calls]

    async def answer(self, approval: str, question: str, timeout: float | None) -> ApprovalDecision | None:
        """Put the question to whoever was named; without anybody there is no answer."""
        if self._ask is None:
            return None
        with anyio.move_on_after(timeout):
            return await self._ask(approval, question)
        return None


async def run_in_memory(
    plan: Plan,
    request: PipelineRequest,
    *,
    listeners: Sequence[Listener] = (),
    workspace: Workspace | None = None,
    cancellation: CancelToken | None = None,
    ask: Ask | None = None,
) -> PipelineResponse:
    """Run a pipeline to its end in this task.

    Cancelling the task cancels the run: what the pipeline's kind demands is undone first, shielded.

    Args:
        cancellation: Lets another task ask the run to stop; the run then ends with a response.
        ask: Answers at approval points; without it they are not passed.
    """
    timeout = request.options.timeout or plan.timeout
    run = PipelineRun(
        plan=plan,
        request=request,
        runtime=MemoryRuntime(cancellation, ask),
        workspace=workspace or Workspace([Path.cwd()]),
        listeners=listeners,
        deadline=None if timeout is None else time.time() + timeout,
    )
    try:
        return await run.execute()
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):  # each undo has its own bound
            await run.unwind()
        raise
