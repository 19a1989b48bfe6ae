"""`rollback-run`: undo what a run did."""

from __future__ import annotations

from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin.get_run import AnyRun
from container_kit.tools.pipeline_tool import RunHandler
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class RollbackRunInput(ToolInput):
    """Which run."""

    run: AnyRun


async def _roll_back(call: ToolCall, asked: RollbackRunInput) -> PipelineResponse:
    return await call.runs.roll_back(asked.run, call.asker)


ROLLBACK_RUN = Tool(
    name=ToolName.ROLLBACK_RUN,
    title="Roll a run back",
    description="Undo the stages of a run that has ended: its deployment goes back to the one before. Next: get-run.",
    input=RollbackRunInput,
    output=answer_schema(),
    toolset="runs",
    effect="destructive",
    work=RunHandler(_roll_back, lambda _call, _response: ()),
    idempotent=True,
)
