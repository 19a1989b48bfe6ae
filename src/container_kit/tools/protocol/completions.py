"""Completion of run ids, of the names of pipelines and of stages, for arguments of prompts and resources."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mcp.server import MCPServer
from mcp_types import Completion, CompletionArgument, CompletionContext

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import StageFailure, WiringError
from container_kit.tools.pipeline_tool import RunHandler
from container_kit.tools.protocol.identity import current_caller
from container_kit.tools.tool import Tool

_AT_ONCE = 100


def add_completions(server: MCPServer, runs: RunService, offered: Mapping[str, Tool]) -> None:
    """Add them; a caller's own runs alone are offered to it."""

    async def complete(_ref: Any, argument: CompletionArgument, context: CompletionContext | None) -> Completion:
        known: list[str] = []
        if argument.name in ("id", "run"):
            known = await _run_ids(runs)
        elif argument.name == "name":
            known = _pipelines(offered)
        elif argument.name == "stage":
            known = await _stages(runs, offered, (context.arguments or {}).get("id") if context else None)
        fitting = [value for value in known if value.startswith(argument.value)]
        return Completion(values=fitting[:_AT_ONCE], total=len(fitting), has_more=len(fitting) > _AT_ONCE)

    decorate: Any = server.completion
    decorate()(complete)


async def _run_ids(runs: RunService) -> list[str]:
    """The newest runs, those first that ended badly: they are what a person asks about."""
    newest = await runs.newest(principal=current_caller(), limit=_AT_ONCE)
    return [run.id for run in sorted(newest, key=lambda run: run.fault is None)]


async def _stages(runs: RunService, offered: Mapping[str, Tool], run_id: str | None) -> list[str]:
    """The stages of a run, or of all pipelines where no run is known yet."""
    if run_id:
        with suppress(StageFailure):
            return [stage.name for stage in (await runs.get(run_id, current_caller())).stages]
    found: set[str] = set()
    for name in _pipelines(offered):
        with suppress(WiringError):  # a tool that does more than run one pipeline of its name
            found |= {step.name for step in runs.find(name).steps()}
    return sorted(found)


def _pipelines(offered: Mapping[str, Tool]) -> list[str]:
    return [offer.name for offer in offered.values() if isinstance(offer.work, RunHandler) and offer.toolset != "runs"]
