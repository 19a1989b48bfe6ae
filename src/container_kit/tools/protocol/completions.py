"""Completion of run ids, pipeline names and stage names in the arguments of prompts and resources."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mcp.server import MCPServer
from mcp_types import Completion, CompletionArgument, CompletionContext

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import ConfigurationError, StageFailure
from container_kit.tools.pipeline_tool import RunHandler
from container_kit.tools.protocol.identity import current_principal
from container_kit.tools.tool import Tool

_LIMIT = 100


def add_completions(server: MCPServer, runs: RunService, tools: Mapping[str, Tool]) -> None:
    """Add completions to a server. A client sees only its own runs."""

    async def complete(_ref: Any, argument: CompletionArgument, context: CompletionContext | None) -> Completion:
        candidates: list[str] = []
        if argument.name in ("id", "run"):
            candidates = await _run_ids(runs)
        elif argument.name == "name":
            candidates = _pipelines(tools)
        elif argument.name == "stage":
            candidates = await _stages(runs, tools, (context.arguments or {}).get("id") if context else None)
        matches = [candidate for candidate in candidates if candidate.startswith(argument.value)]
        return Completion(values=matches[:_LIMIT], total=len(matches), has_more=len(matches) > _LIMIT)

    decorate: Any = server.completion
    decorate()(complete)


async def _run_ids(runs: RunService) -> list[str]:
    """Return the newest runs, failed runs first, because those are looked up most."""
    newest = await runs.list_runs(principal=current_principal(), limit=_LIMIT)
    return [run.id for run in sorted(newest, key=lambda run: run.fault is None)]


async def _stages(runs: RunService, tools: Mapping[str, Tool], run_id: str | None) -> list[str]:
    """Return the stages of a run, or of all pipelines if the run is not known."""
    if run_id:
        with suppress(StageFailure):
            run = await runs.backend(run_id).get(run_id, current_principal())
            return [stage.name for stage in run.stages]
    names: set[str] = set()
    for pipeline in _pipelines(tools):
        with suppress(ConfigurationError):  # the tool has no pipeline of the same name
            names |= {step.name for step in runs.find(pipeline).steps()}
    return sorted(names)


def _pipelines(tools: Mapping[str, Tool]) -> list[str]:
    return [tool.name for tool in tools.values() if isinstance(tool.handler, RunHandler) and tool.toolset != "runs"]
