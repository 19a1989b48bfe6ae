"""Following a stored run for whoever asked for it: its events, and its questions to a person."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.events import Event
from container_kit.pipelines.runs.client import Ask, Caller
from container_kit.stages.contract.fault import StageFailure

if TYPE_CHECKING:
    from container_kit.pipelines.durable.service import DurableRuns


async def followed(durable: DurableRuns, run_id: str, asker: Caller) -> bool:
    """Tell the asker a run's events; whether it ended before the asker stopped waiting for it."""
    ended = False
    with anyio.move_on_after(asker.patience):
        async with anyio.create_task_group() as group:
            async for _, event in durable.events(run_id):
                asker.on_event(event)
                if event.kind == "run_finished":
                    ended = True
                if not asker.interactive or not await _asks(durable, event):
                    continue
                if asker.ask is None:
                    break
                group.start_soon(_answer, durable, event, asker.ask)
            group.cancel_scope.cancel()  # whoever is still being asked need not answer any more
    return ended


async def _asks(durable: DurableRuns, event: Event) -> bool:
    """Whether an event tells a question that still waits; an event may be heard long after it happened."""
    if event.kind != "approval_requested":
        return False
    return event.stage in (await durable.history.get(event.run_id)).questions


async def _answer(durable: DurableRuns, event: Event, ask: Ask) -> None:
    answer = await ask(event.stage or "", event.message)
    with suppress(StageFailure):  # it waits no longer
        await durable.answer(event.run_id, answer or ApprovalDecision(approved=False, no_approver=True), event.stage)
