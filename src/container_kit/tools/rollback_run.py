"""`rollback-run`: undo what a run did."""

from __future__ import annotations

from container_kit.tools.answer import success
from container_kit.tools.failure import failure
from container_kit.tools.get_run import AnyRun
from container_kit.tools.offer import Answer, Call, Offer, ToolInput
from container_kit.tools.schema import answer_schema


class RollbackRunInput(ToolInput):
    """Which run."""

    run: AnyRun


async def _roll_back(call: Call, asked: RollbackRunInput) -> Answer:
    response = await call.runs.roll_back(
        asked.run, caller=call.caller, on_event=call.on_event, stops_run=call.stops_run
    )
    if response.fault is not None:
        return failure(response.fault, call)
    return success(response, ())


ROLLBACK_RUN = Offer(
    name="rollback-run",
    title="Roll a run back",
    description="Undo the stages of a run that has ended: its deployment goes back to the one before. Next: get-run.",
    input=RollbackRunInput,
    output=answer_schema(),
    toolset="runs",
    effect="replaces",
    work=_roll_back,
    idempotent=True,
)
