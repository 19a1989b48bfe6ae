"""`cancel-run`: stop a run."""

from __future__ import annotations

import anyio

from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin.get_run import AnyRun
from container_kit.tools.results.run_json import RUN_SCHEMA, run_data, run_lines
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult

_PATIENCE = 10.0
_LOOK_EVERY = 0.1


class CancelRunInput(ToolInput):
    """Which run."""

    run: AnyRun


async def _cancel(call: ToolCall, asked: CancelRunInput) -> ToolResult:
    run = await call.runs.cancel(asked.run, call.principal)
    with anyio.move_on_after(_PATIENCE):
        while not run.finished:
            await anyio.sleep(_LOOK_EVERY)  # it may be carried out by another process
            run = await call.runs.get(asked.run, call.principal)
    return ToolResult("\n".join(run_lines(run)), run_data(run))


CANCEL_RUN = Tool(
    name=ToolName.CANCEL_RUN,
    title="Cancel a run",
    description="Stop a run that has not ended; its stage cleans up, an atomic pipeline is undone. Next: get-run.",
    input=CancelRunInput,
    output=RUN_SCHEMA,
    toolset="runs",
    effect="destructive",
    work=_cancel,
    idempotent=True,
)
