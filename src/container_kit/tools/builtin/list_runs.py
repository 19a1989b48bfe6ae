"""`list-runs`: list the newest runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.pipelines.run_info import RunState
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.results.run_json import run_json, run_line
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult


class ListRunsInput(ToolInput):
    """The arguments of `list-runs`."""

    status: RunState | None = None
    pipeline: str | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 20


async def _list(call: ToolCall, arguments: ListRunsInput) -> ToolResult:
    runs = await call.runs.list_runs(
        principal=call.principal, status=arguments.status, pipeline=arguments.pipeline, limit=arguments.limit
    )
    text = "\n".join(run_line(run) for run in runs) or "no runs"
    return ToolResult(text, {"runs": [run_json(run) for run in runs]})


LIST_RUNS = Tool(
    name=ToolName.LIST_RUNS,
    title="List runs",
    description="List runs with id and status, newest first. Changes nothing. Next: get-run for one of them.",
    input=ListRunsInput,
    output={"type": "object", "properties": {"runs": {"type": "array"}}},
    toolset="runs",
    effect="read_only",
    handler=_list,
    idempotent=True,
)
