"""`cancel-run`: cancel a run."""

from __future__ import annotations

import anyio

from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import RunId
from container_kit.tools.results.run_json import RUN_SCHEMA, run_json, run_lines
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult

_WAIT_SECONDS = 10.0
_POLL_SECONDS = 0.1


class CancelRunInput(ToolInput):
    """The arguments of `cancel-run`."""

    run: RunId


async def _cancel(call: ToolCall, arguments: CancelRunInput) -> ToolResult:
    backend = call.runs.backend(arguments.run)
    run = await backend.cancel(arguments.run, call.principal)
    with anyio.move_on_after(_WAIT_SECONDS):
        while not run.finished:
            await anyio.sleep(_POLL_SECONDS)  # another process may be executing it
            run = await backend.get(arguments.run, call.principal)
    return ToolResult("\n".join(run_lines(run)), run_json(run))


CANCEL_RUN = Tool(
    name=ToolName.CANCEL_RUN,
    title="Cancel a run",
    description="Stop a running run. Its stage cleans up; an atomic pipeline is rolled back. Next: get-run.",
    input=CancelRunInput,
    output=RUN_SCHEMA,
    toolset="runs",
    effect="destructive",
    handler=_cancel,
    idempotent=True,
)
