"""The tools as clients see them: schema snapshots, sizes, the page of tools, and the selection by settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from container_kit import ConfigurationError, Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.builtin.build import BUILD
from container_kit.tools.registry import ALL, ToolSelection, instructions, select_tools
from container_kit.tools.tool import Tool
from support.mcp.tools import connected
from support.tool_table import page

pytestmark = pytest.mark.anyio

SNAPSHOTS = Path(__file__).parent / "tools"
PAGE = Path(__file__).parents[2] / "docs" / "tools.md"


async def list_tools(workspace: Workspace) -> dict[str, dict[str, Any]]:
    async with connected(RunService(workspace)) as client:
        tools = (await client.list_tools()).tools
    return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools}


async def test_every_tool_matches_its_snapshot(
    workspace: Workspace, match_snapshot: Callable[[Path, str], None]
) -> None:
    listed = await list_tools(workspace)
    for name, tool in listed.items():
        match_snapshot(SNAPSHOTS / f"{name}.json", json.dumps(tool, indent=2) + "\n")
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == set(listed)


def test_the_page_of_tools_is_up_to_date(match_snapshot: Callable[[Path, str], None]) -> None:
    match_snapshot(PAGE, page(PAGE.read_text("utf-8")))


async def test_the_default_list_takes_at_most_fourteen_kilobytes(workspace: Workspace) -> None:
    async with connected(RunService(workspace), tools=select_tools(ALL, ToolSelection())) as client:
        result = await client.list_tools()
    assert len(result.model_dump_json(by_alias=True, exclude_none=True)) <= 14 * 1024


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
async def test_a_tool_has_a_short_description_with_the_next_step_and_valid_schemas(
    tool: Tool, workspace: Workspace
) -> None:
    listed = (await list_tools(workspace))[tool.name]
    assert 40 < len(listed["description"].encode()) <= 1536
    assert "Next: " in listed["description"]
    for schema in (listed["inputSchema"], listed["outputSchema"]):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert "$ref" not in json.dumps(schema)
    assert listed["annotations"]["readOnlyHint"] is (tool.effect == "read_only")


@pytest.mark.parametrize("tool", [tool for tool in ALL if tool.effect == "read_only"], ids=lambda tool: tool.name)
def test_a_read_only_tool_says_that_it_changes_nothing(tool: Tool) -> None:
    assert "Changes nothing." in tool.description


def names(**selection: Any) -> list[str]:
    return [tool.name for tool in select_tools(ALL, ToolSelection(**selection))]


def test_toolsets_and_single_tools_are_combined() -> None:
    assert names(toolsets=["scan"], tools=["analyze"]) == ["analyze", "scan"]


def test_an_excluded_tool_is_never_selected() -> None:
    assert "deploy" not in names(tools=["deploy", "scan"], exclude_tools=["deploy"])


def test_read_only_overrides_every_other_selection() -> None:
    assert names(read_only=True) == [
        "analyze", "scan", "list-deployments", "deployment-logs", "verify", "list-runs", "get-run",
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="select no tool"):
        names(tools=["deploy"], read_only=True)


def test_destructive_tools_can_be_disabled() -> None:
    assert names(disable_destructive=True) == [
        "analyze", "write-dockerfile", "build", "scan", "list-deployments", "deployment-logs", "verify", "list-runs",
        "get-run",
    ]  # fmt: skip


def test_a_toolset_outside_the_defaults_is_selected_by_name() -> None:
    tools = (*ALL, replace(BUILD, name="fly", toolset="sky"))

    def selected(**selection: Any) -> list[str]:
        return [tool.name for tool in select_tools(tools, ToolSelection(**selection))]

    default = names()
    assert selected() == default
    assert selected(toolsets=["sky"]) == ["fly"]
    assert selected(toolsets=["default", "sky"]) == [*default, "fly"]
    assert selected(toolsets=["default"], tools=["fly"]) == [*default, "fly"]
    assert selected(toolsets=["all"]) == [tool.name for tool in tools]


def test_an_unknown_name_is_rejected_with_the_existing_names() -> None:
    with pytest.raises(
        ConfigurationError, match=r"no toolset kitchen; choose from all, build, default, deploy, .*scan"
    ):
        names(toolsets=["kitchen"])


def test_instructions_mention_only_the_tools_of_the_server() -> None:
    tools = select_tools(ALL, ToolSelection(tools=["analyze", "get-run"]))
    text = instructions({tool.name: tool for tool in tools})
    assert "full-deployment" not in text
    assert "analyze" in text
    assert "read-only" in text
    assert len(text.encode()) < 2048
