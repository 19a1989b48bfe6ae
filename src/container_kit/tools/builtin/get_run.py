"""`get-run`: show a run and lines of a stage's log."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

from pydantic import Field

from container_kit.pipelines.run_info import RunInfo
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.contract.untrusted_text import quoted
from container_kit.tools.builtin._fields import RunId
from container_kit.tools.results.run_fault import with_ready_actions
from container_kit.tools.results.run_json import RUN_SCHEMA, log_json, run_json, run_lines
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult

_TEXT_LIMIT = 40_000

STAGE_NOT_FOUND = FaultCode(
    "run.stage_not_found",
    means="The run has no stage with that name.",
    hint="Pass the name of one of its stages: {names}.",
)


class GetRunInput(ToolInput):
    """The arguments of `get-run`."""

    run: RunId
    stage: Annotated[str, Field(description="Include the log of this stage")] | None = None
    first: Annotated[int, Field(ge=1, description="First line; default: the last")] | None = None
    lines: Annotated[int, Field(ge=1, le=500)] = 100


async def _get(call: ToolCall, arguments: GetRunInput) -> ToolResult:
    backend = call.runs.backend(arguments.run)
    run = await backend.get(arguments.run, call.principal)
    run = await with_ready_actions(run, call.runs, call.principal, call.tools)
    data, lines = run_json(run), run_lines(run)
    if arguments.stage is not None:
        _require_stage(run, arguments.stage)
        part = await backend.log(run.id, call.principal, arguments.stage, arguments.first, arguments.lines)
        data["log"] = log_json(part)
        last = part.first + len(part.lines) - 1
        shown = f"lines {part.first} to {last} of {part.total}:" if part.lines else f"none of {part.total} lines"
        lines += [f"log of {arguments.stage}, {shown}", *map(quoted, part.lines)]
    return ToolResult("\n".join(lines)[-_TEXT_LIMIT:], data)


def _require_stage(run: RunInfo, stage: str) -> None:
    names = [result.name for result in run.stages]
    if stage not in names:
        similar = get_close_matches(stage, names, 1, 0.0)
        actions = [NextAction(why=f"{name} is a stage of the run.", arguments={"stage": name}) for name in similar]
        raise STAGE_NOT_FOUND(f"run {run.id} has no stage {stage!r}", next_actions=actions, names=", ".join(names))


GET_RUN = Tool(
    name=ToolName.GET_RUN,
    title="Show a run",
    description=(
        "Show a run: stages, fault, evidence, question; with stage, lines of its log. Use it after a lost "
        "connection. Changes nothing. Next: retry-run, rollback-run or cancel-run."
    ),
    input=GetRunInput,
    output=RUN_SCHEMA,
    toolset="runs",
    effect="read_only",
    handler=_get,
    idempotent=True,
)
