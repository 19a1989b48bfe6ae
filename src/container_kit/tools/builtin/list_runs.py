"""`list-runs`: list the newest runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.pipelines.run_info import RunState
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.results.run_json import run_entry, run_line
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult


class ListRunsInput(ToolInput):
    """The arguments of `list-runs`."""

    status: RunState | None = None
    pipeline: str | None = None
    application: Annotated[str | None, Field(description="Its name or folder")] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    offset: Annotated[int, Field(ge=0, le=100_000)] = 0


async def _list(call: ToolCall, arguments: ListRunsInput) -> ToolResult:
    wanted = arguments.offset + arguments.limit
    runs = await call.runs.list_runs(
        principal=call.principal,
        status=arguments.status,
        pipeline=arguments.pipeline,
        application=arguments.application,
        limit=wanted + 1,
    )
    page = runs[arguments.offset : wanted]
    more = {"next_offset": wanted} if len(runs) > wanted else {}
    lines = [run_line(run) for run in page] or ["no runs"]
    lines += [f"more: list-runs with offset {wanted}"] if more else []
    return ToolResult("\n".join(lines), {"runs": [run_entry(run) for run in page], **more})


LIST_RUNS = Tool(
    name=ToolName.LIST_RUNS,
    title="List runs",
    description="List runs, newest first. Changes nothing. Next: get-run.",
    input=ListRunsInput,
    output={"type": "object", "properties": {"runs": {"type": "array"}, "next_offset": {"type": "integer"}}},
    toolset="runs",
    effect="read_only",
    handler=_list,
    idempotent=True,
)
