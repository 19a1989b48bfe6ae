"""The durable runtime: each step is a step of a DBOS workflow, its outcome a row of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import anyio
from dbos import DBOS

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.durable.journal import read_outcome, write_envelope
from container_kit.pipelines.execution.runtime import CancelToken, StepCall, StepOutcome


class DurableRuntime:
    """Carries out the steps of the DBOS workflow that it is made in.

    Args:
        seed: Envelopes by step id that are taken as they are.
        interactive: Whether anybody can be asked.
    """

    def __init__(
        self, cancellation: CancelToken, seed: Mapping[str, Mapping[str, Any]], *, interactive: bool = True
    ) -> None:
        self.cancellation = cancellation
        self._seed = seed
        self._interactive = interactive

    async def steps(self, calls: Sequence[StepCall]) -> list[StepOutcome]:
        """Carry out the calls, or take their envelopes from the journal."""
        outcomes: dict[str, StepOutcome] = {}
        todo = [call for call in calls if call.id not in self._seed]
        for call in calls:
            if call.id in self._seed:
                outcomes[call.id] = read_outcome(self._seed[call.id], call.output, call.stage, replayed=True)
        # Ids are drawn in plan order before anything is awaited; drawn within the branches, a replay could swap them.
        slots = [DBOS.reserve_step() for _ in todo]

        async def journaled(slot: Any, call: StepCall) -> None:
            ran = _Ran()
            written = await slot.run_async({"name": call.id}, partial(ran.execute_run, call))
            outcomes[call.id] = read_outcome(written, call.output, call.stage, replayed=not ran.here)

        if len(todo) == 1:
            await journaled(slots[0], todo[0])
        elif todo:
            async with anyio.create_task_group() as group:
                for slot, call in zip(slots, todo, strict=True):
                    group.start_soon(journaled, slot, call)
        return [outcomes[call.id] for call in calls]

    async def answer(self, approval: str, question: str, timeout: float | None) -> ApprovalDecision | None:
        """Wait for somebody's answer, which is journaled too."""
        if not self._interactive:
            return None
        answered = await DBOS.recv_async(approval, timeout_seconds=timeout or 10**9)
        if answered is None:
            return None
        answer = ApprovalDecision.model_validate(answered)
        if answer.cancelled:
            self.cancellation.request()
        return answer


class _Ran:
    """Whether a step was carried out here or came from the journal."""

    def __init__(self) -> None:
        self.here = False

    async def execute_run(self, call: StepCall) -> dict[str, Any]:
        self.here = True
        return write_envelope(await call.work(), call.stage)
