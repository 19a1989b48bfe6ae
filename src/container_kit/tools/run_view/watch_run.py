"""`watch-run`: the data of the live run view, which polls it. Models do not see this tool."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field, JsonValue

from container_kit.pipelines.request import RUN_NOT_FOUND
from container_kit.pipelines.run_info import RunInfo
from container_kit.pipelines.runs.service import RunService
from container_kit.pipelines.runs.stage_states import StageProgress, StageStates
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.tools.results.pipeline_json import groups
from container_kit.tools.results.run_fault import with_ready_actions
from container_kit.tools.results.run_json import RUN_SCHEMA, log_json, run_json, run_line
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult

_OPENING_SECONDS = 15.0
"""How long a client may take to open the view after it sent the call."""
_SEARCHED_RUNS = 50


class WatchRunInput(ToolInput):
    """The arguments of `watch-run`. A view that has no run id yet names the tool whose call it was opened for."""

    run: str | None = None
    tool: str | None = None
    source_run: Annotated[str, Field(description="Run that the call retries or rolls back")] | None = None
    age: Annotated[float, Field(ge=0, description="Seconds since the view was opened")] = 0.0
    stage: Annotated[str, Field(description="Include the log of this stage")] | None = None
    first: Annotated[int, Field(ge=1, description="First log line; default: the last lines")] | None = None
    lines: Annotated[int, Field(ge=1, le=1000, description="Number of log lines")] = 300


async def watch_run(
    runs: RunService, principal: str | None, arguments: WatchRunInput, tools: Mapping[str, Tool]
) -> dict[str, JsonValue]:
    """Return a run as the view draws it.

    Args:
        runs: The service that has the run.
        principal: The caller.
        arguments: The run to show.
        tools: The tools that next actions may name, by name.

    Raises:
        StageFailure: The run does not exist or has not started, or the store failed.
    """
    run_id = arguments.run or await _find_run(runs, principal, arguments)
    backend = runs.backend(run_id)
    run, states = await backend.stage_states(run_id, principal)
    run = await with_ready_actions(run, runs, principal, tools)
    data = run_json(run) | {"now": time.time(), "groups": _groups(runs, run, states), "started": run.created}
    if run.finished:
        data["ended"] = run.updated
    if arguments.stage is not None:
        part = await backend.log(run.id, principal, arguments.stage, arguments.first, arguments.lines)
        data["log"] = {"stage": arguments.stage, **log_json(part)}
    return data


async def _find_run(runs: RunService, principal: str | None, arguments: WatchRunInput) -> str:
    """Return the newest running run that fits the call. After the call, its result has the run id."""
    earliest = time.time() - arguments.age - _OPENING_SECONDS
    for run in await runs.list_runs(principal=principal, limit=_SEARCHED_RUNS):
        if not run.finished and run.created >= earliest and _fits(run, arguments):
            return run.id
    raise RUN_NOT_FOUND("the run has not started")


def _fits(run: RunInfo, arguments: WatchRunInput) -> bool:
    if arguments.source_run is not None:
        return arguments.source_run in (run.retry_of, run.rolls_back)
    return run.retry_of is None and run.rolls_back is None and run.pipeline.removesuffix("-source") == arguments.tool


def _groups(runs: RunService, run: RunInfo, states: StageStates) -> list[JsonValue]:
    stages = {stage.name: stage for stage in states.stages(run.stages if run.finished else ())}
    try:
        nodes = groups(runs.find(run.pipeline))
    except ConfigurationError:  # the run of a custom pipeline that is no longer installed
        nodes = [[{"name": name}] for name in stages]
    return [[node | _progress_json(stages[node["name"]]) for node in group] for group in nodes]


def _progress_json(stage: StageProgress) -> dict[str, Any]:
    return {name: value for name, value in asdict(stage).items() if value is not None}


async def _watch(call: ToolCall, arguments: WatchRunInput) -> ToolResult:
    data: dict[str, Any] = await watch_run(call.runs, call.principal, arguments, call.tools)
    run_id = str(data["id"])
    return ToolResult(run_line(await call.runs.backend(run_id).get(run_id, call.principal)), data)


WATCH_RUN = Tool(
    name="watch-run",
    title="Watch a run",
    description="For the run view: the current state of a run, stage by stage, with lines of a log.",
    input=WatchRunInput,
    output=RUN_SCHEMA,
    toolset="view",
    effect="read_only",
    handler=_watch,
    idempotent=True,
)
