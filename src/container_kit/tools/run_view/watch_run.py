"""`watch-run`: what the live run view shows, asked again and again. It is for views alone; no assistant sees it."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field, JsonValue

from container_kit.pipelines.request import RUN_UNKNOWN
from container_kit.pipelines.runs.service import RunService
from container_kit.pipelines.runs.snapshot import RunView
from container_kit.pipelines.runs.stage_states import StageProgress, StageStates
from container_kit.stages.contract.fault import WiringError
from container_kit.tools.builtin.get_run import log_data
from container_kit.tools.results.pipeline_json import groups
from container_kit.tools.results.run_json import RUN_SCHEMA, run_data, run_line
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult

_LATE = 15.0
"""Seconds that a client may take to open a view after it sent the call."""
_LOOKED_AT = 50


class WatchRunInput(ToolInput):
    """Which run, and what of its log. A view that knows no id yet names the tool whose call it was opened for."""

    run: str | None = None
    tool: str | None = None
    of: Annotated[str, Field(description="The run that the call names, as retry-run does")] | None = None
    age: Annotated[float, Field(ge=0, description="Seconds since the view was opened for it")] = 0.0
    stage: Annotated[str, Field(description="Show this stage's log")] | None = None
    first: Annotated[int, Field(ge=1, description="First line; default: the last lines")] | None = None
    lines: Annotated[int, Field(ge=1, le=1000)] = 300


async def watched(runs: RunService, principal: str | None, asked: WatchRunInput) -> dict[str, JsonValue]:
    """A run as the view draws it.

    Raises:
        StageFailure: `run.unknown`, also while the run of a call has not begun; a fault of the store.
    """
    run, live = await runs.live(asked.run or await _run_of_call(runs, principal, asked), principal)
    data = run_data(run) | {"now": time.time(), "groups": _groups(runs, run, live), "began": run.created}
    if run.finished:
        data["ended"] = run.updated
    if asked.stage is not None:
        part = await runs.log(run.id, asked.stage, first=asked.first, count=asked.lines, principal=principal)
        data["log"] = {"stage": asked.stage, **log_data(part)}
    return data


async def _run_of_call(runs: RunService, principal: str | None, asked: WatchRunInput) -> str:
    """The run of a call that goes on: the newest one that fits. Once a call has ended, its answer names the run."""
    earliest = time.time() - asked.age - _LATE
    for run in await runs.newest(principal=principal, limit=_LOOKED_AT):
        if not run.finished and run.created >= earliest and _fits(run, asked):
            return run.id
    raise RUN_UNKNOWN("the run has not begun")


def _fits(run: RunView, asked: WatchRunInput) -> bool:
    if asked.of is not None:
        return asked.of in (run.retry_of, run.rolls_back)
    return run.retry_of is None and run.rolls_back is None and run.pipeline.removesuffix("-source") == asked.tool


def _groups(runs: RunService, run: RunView, live: StageStates) -> list[JsonValue]:
    stages = {stage.name: stage for stage in live.stages(run.stages if run.finished else ())}
    try:
        drawn = groups(runs.find(run.pipeline))
    except WiringError:  # an old run of a pipeline that is offered no more
        drawn = [[{"name": name}] for name in stages]
    return [[point | _known(stages[point["name"]]) for point in group] for group in drawn]


def _known(stage: StageProgress) -> dict[str, Any]:
    return {name: value for name, value in asdict(stage).items() if value is not None}


async def _watch(call: ToolCall, asked: WatchRunInput) -> ToolResult:
    data: dict[str, Any] = await watched(call.runs, call.principal, asked)
    return ToolResult(run_line(await call.runs.get(str(data["id"]), call.principal)), data)


WATCH_RUN = Tool(
    name="watch-run",
    title="Watch a run",
    description="For the run view: how a run stands at this moment, stage by stage, with lines of a log.",
    input=WatchRunInput,
    output=RUN_SCHEMA,
    toolset="view",
    effect="read_only",
    work=_watch,
    idempotent=True,
)
