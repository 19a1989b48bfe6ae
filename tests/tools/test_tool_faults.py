"""Faults that tools raise themselves, through the real client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest
from mcp.client import Client

from container_kit import Workspace
from container_kit.tools.builtin.build import BUILD
from container_kit.tools.registry import ALL, ToolSelection, select_tools
from support.mcp.tools import IMAGE, connected, runs_of

pytestmark = pytest.mark.anyio


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    with anyio.fail_after(30):
        return await client.call_tool(tool, arguments)


async def test_a_read_only_run_cannot_be_rolled_back(workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {})) as client:
        looked = await call(client, "build", path="none", dry_run=True)
        refused = await call(client, "rollback-run", run=looked.structured_content["resume"]["run_id"])
    assert refused.structured_content["code"] == "run.read_only"


async def test_a_run_of_a_disabled_tool_cannot_be_retried(workspace: Workspace) -> None:
    runs = runs_of(workspace, {"build": {"build": IMAGE}})
    async with connected(runs) as client:
        built = await call(client, "build", path=".")
    async with connected(runs, tools=select_tools(ALL, ToolSelection(toolsets=["runs"]))) as client:
        refused = await call(client, "retry-run", run=built.structured_content["run"])
    assert refused.structured_content["code"] == "run.pipeline_disabled"


async def test_the_fault_of_a_crashed_tool_omits_the_exception_message(workspace: Workspace) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("planted-words")

    async with connected(runs_of(workspace, {}), tools=[replace(BUILD, handler=broken)]) as client:
        crashed = await call(client, "build", path=".")
    assert crashed.structured_content["code"] == "tool.crashed"
    assert "planted-words" not in crashed.model_dump_json()


async def test_a_misspelt_argument_leads_to_the_corrected_call(workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {"build": {"build": IMAGE}})) as client:
        refused = await call(client, "build", pth=".", no_cash=True)
        action = refused.structured_content["next_actions"][0]
        built = await call(client, action["tool"], **action["arguments"])
    assert refused.structured_content["code"] == "request.invalid"
    assert action["arguments"] == {"path": ".", "no_cache": True}
    assert not built.is_error


async def test_a_misspelt_variable_is_not_repeated(workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {})) as client:
        refused = await call(client, "deploy", image="shop", envs={"PASSWORD": "planted-value"})
    assert refused.structured_content["code"] == "request.invalid"
    assert "planted-value" not in refused.model_dump_json()


async def test_an_unknown_stage_is_rejected_with_the_closest_one(workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {"build": {"build": IMAGE}})) as client:
        built = await call(client, "build", path=".")
        refused = await call(client, "get-run", run=built.structured_content["run"], stage="biuld")
    assert refused.structured_content["code"] == "run.stage_not_found"
    assert refused.structured_content["next_actions"][0]["arguments"]["stage"] == "build"
