"""Following a stored run for its caller: events and approval questions."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from container_kit.pipelines.approval import ApprovalDecision, Prompt
from container_kit.pipelines.events import Event
from container_kit.pipelines.runs.client import Caller
from container_kit.stages.contract.fault import StageFailure

if TYPE_CHECKING:
    from container_kit.pipelines.durable.service import DurableRuns


async def follow_run(durable: DurableRuns, run_id: str, caller: Caller) -> bool:
    """Pass a run's events to its caller. Return whether the run ended before the caller detached."""
    ended = False
    with anyio.move_on_after(caller.detach_after):
        async with anyio.create_task_group() as group:
            async for _, event in durable.events(run_id):
                caller.on_event(event)
                if event.kind == "run_finished":
                    ended = True
                if not caller.interactive or not await _awaits_approval(durable, event):
                    continue
                if caller.prompt is None:
                    break
                group.start_soon(_ask, durable, event, caller.prompt)
            group.cancel_scope.cancel()  # open prompts are obsolete
    return ended


async def _awaits_approval(durable: DurableRuns, event: Event) -> bool:
    """Return whether an event has a question that is still open; events may be read long after they occurred."""
    if event.kind != "approval_requested":
        return False
    return event.stage in (await durable.queries.get(event.run_id)).questions


async def _ask(durable: DurableRuns, event: Event, prompt: Prompt) -> None:
    decision = await prompt(event.stage or "", event.message)
    decision = decision or ApprovalDecision(approved=False, no_approver=True)
    with suppress(StageFailure):  # the run no longer waits
        await durable.resolve_approval(event.run_id, decision, event.stage)
