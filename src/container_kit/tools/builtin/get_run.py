"""`get-run`: one run, and a part of a stage's log."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

from pydantic import Field, JsonValue

from container_kit.pipelines.runs.snapshot import LogPart, RunView
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.results.run_json import RUN_SCHEMA, run_data, run_lines
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult

AnyRun = Annotated[str, Field(description="Run id")]


STAGE_UNKNOWN = FaultCode(
    "run.stage_unknown", means="The run has no stage of that name.", hint="Name one of its stages: {names}."
)


class GetRunInput(ToolInput):
    """Which run, and what of its log."""

    run: AnyRun
    stage: Annotated[str, Field(description="Show this stage's log")] | None = None
    first: Annotated[int, Field(ge=1, description="First line; default: the last lines")] | None = None
    lines: Annotated[int, Field(ge=1, le=500)] = 100


async def _get(call: ToolCall, asked: GetRunInput) -> ToolResult:
    run = await call.runs.get(asked.run, call.principal)
    data, lines = run_data(run), run_lines(run)
    if asked.stage is not None:
        _refuse_unknown_stage(run, asked.stage)
        part = await call.runs.log(run.id, asked.stage, first=asked.first, count=asked.lines, principal=call.principal)
        data["log"] = log_data(part)
        last = part.first + len(part.lines) - 1
        shown = f"lines {part.first} to {last} of {part.total}:" if part.lines else f"none of its {part.total} lines"
        lines += [f"log of {asked.stage}, {shown}", *part.lines]
    return ToolResult("\n".join(lines)[-40_000:], data)


def _refuse_unknown_stage(run: RunView, stage: str) -> None:
    names = [one.name for one in run.stages]
    if stage not in names:
        near = get_close_matches(stage, names, 1, 0.0)
        actions = [NextAction(why=f"{name} is one of its stages", arguments={"stage": name}) for name in near]
        raise STAGE_UNKNOWN(f"run {run.id} has no stage {stage!r}", next_actions=actions, names=", ".join(names))


def log_data(part: LogPart) -> dict[str, JsonValue]:
    """A part of a log."""
    return {"lines": list(part.lines), "first": part.first, "total": part.total}


GET_RUN = Tool(
    name=ToolName.GET_RUN,
    title="Look at a run",
    description=(
        "How a run stands or ended: stages, fault, evidence, question; with stage, lines of its log. Use it after "
        "a lost connection. Next: retry-run, rollback-run or cancel-run."
    ),
    input=GetRunInput,
    output=RUN_SCHEMA,
    toolset="runs",
    effect="read_only",
    work=_get,
    idempotent=True,
)
