"""Tools on mocked stages: the pipelines of the catalog, with stages that return or fail as specified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp.client import Client
from pydantic import BaseModel

from container_kit import Fault, Workspace
from container_kit.pipelines import catalog
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.runs.service import RunService
from container_kit.pipelines.testing import MockStage
from container_kit.server.app import make_server
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.stage import Stage
from container_kit.tools.registry import ALL
from container_kit.tools.tool import Tool

Mocks = dict[str, Stage[Any] | BaseModel | Fault | Sequence[BaseModel | Fault]]

IMAGE = Image(id="sha256:" + "a" * 64, reference="shop:latest", size=52_000_000, ports=(8000,), steps=4)


def mocked(mocks: dict[str, Mocks]) -> Callable[[str], Plan]:
    """Return a function that finds the pipelines of the catalog with some stages replaced.

    Args:
        mocks: By pipeline and stage: a stage, its output, its fault, or the outcomes of its attempts.
    """

    def find(name: str) -> Plan:
        return (
            catalog.pipeline(name)
            .with_stages_replaced({stage: _stage(stage, outcome) for stage, outcome in mocks.get(name, {}).items()})
            .plan()
        )

    return find


def _stage(name: str, outcome: Stage[Any] | BaseModel | Fault | Sequence[BaseModel | Fault]) -> Stage[Any]:
    if isinstance(outcome, Stage):
        return outcome
    return MockStage(name, [outcome] if isinstance(outcome, BaseModel) else outcome)


def toolset(name: str) -> tuple[Tool, ...]:
    """Return the tools of one toolset."""
    return tuple(tool for tool in ALL if tool.toolset == name)


def connected(
    runs: RunService, mode: str = "auto", tools: Sequence[Tool] = ALL, **options: Any
) -> AbstractAsyncContextManager[Client]:
    """Return a client on a server with these runs, in this process."""
    return Client(make_server(runs, tools), mode=mode, **options)


def runs_of(workspace: Workspace, mocks: dict[str, Mocks]) -> RunService:
    """Return runs with mocked stages."""
    return RunService(workspace, find=mocked(mocks))
