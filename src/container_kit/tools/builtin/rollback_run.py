"""`rollback-run`: undo a run."""

from __future__ import annotations

from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import RunId
from container_kit.tools.pipeline_tool import RunHandler
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class RollbackRunInput(ToolInput):
    """The arguments of `rollback-run`."""

    run: RunId


async def _roll_back(call: ToolCall, arguments: RollbackRunInput) -> PipelineResponse:
    return await call.runs.backend(arguments.run).roll_back(arguments.run, call.caller)


ROLLBACK_RUN = Tool(
    name=ToolName.ROLLBACK_RUN,
    title="Roll back a run",
    description="Undo a finished run. Its deployment returns to the previous version. Next: get-run.",
    input=RollbackRunInput,
    output=result_schema(),
    toolset="runs",
    effect="destructive",
    handler=RunHandler(_roll_back, lambda _call, _response: ()),
    idempotent=True,
)
