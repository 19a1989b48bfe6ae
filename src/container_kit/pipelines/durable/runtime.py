"""The durable runtime: each step is a step of a DBOS workflow, and its outcome a row of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import anyio
from dbos import DBOS

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.durable.journal import read_outcome, write_outcome
from container_kit.pipelines.execution.runtime import CancelToken, StepCall, StepOutcome

_NO_TIMEOUT = 1e9


class DurableRuntime:
    """Executes the steps of the current DBOS workflow.

    Args:
        seed: Outcomes by step id that are used without execution.
        interactive: Whether a person can decide at approval points.
    """

    def __init__(
        self, cancellation: CancelToken, seed: Mapping[str, Mapping[str, Any]], *, interactive: bool = True
    ) -> None:
        self.cancellation = cancellation
        self._seed = seed
        self._interactive = interactive

    async def run_steps(self, calls: Sequence[StepCall]) -> list[StepOutcome]:
        """Execute the calls, or read their outcomes from the journal."""
        outcomes: dict[str, StepOutcome] = {}
        pending = [call for call in calls if call.id not in self._seed]
        for call in calls:
            if call.id in self._seed:
                outcomes[call.id] = read_outcome(self._seed[call.id], call.output, call.stage, replayed=True)
        # Reserve ids in plan order before the first await; reserved within the branches, a replay could swap them.
        slots = [DBOS.reserve_step() for _ in pending]

        async def run_step(slot: Any, call: StepCall) -> None:
            step = _JournaledStep()
            row = await slot.run_async({"name": call.id}, partial(step.run, call))
            outcomes[call.id] = read_outcome(row, call.output, call.stage, replayed=not step.executed)

        if len(pending) == 1:
            await run_step(slots[0], pending[0])
        elif pending:
            async with anyio.create_task_group() as group:
                for slot, call in zip(slots, pending, strict=True):
                    group.start_soon(run_step, slot, call)
        return [outcomes[call.id] for call in calls]

    async def wait_for_approval(self, approval: str, question: str, timeout: float | None) -> ApprovalDecision | None:
        """Wait for a decision, which is journaled too."""
        if not self._interactive:
            return None
        message = await DBOS.recv_async(approval, timeout_seconds=timeout or _NO_TIMEOUT)
        if message is None:
            return None
        decision = ApprovalDecision.model_validate(message)
        if decision.cancelled:
            self.cancellation.request()
        return decision


class _JournaledStep:
    """Records whether a step was executed here or read from the journal."""

    def __init__(self) -> None:
        self.executed = False

    async def run(self, call: StepCall) -> dict[str, Any]:
        self.executed = True
        return write_outcome(await call.work(), call.stage)
