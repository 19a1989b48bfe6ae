"""What an assistant sees of each tool, held as a snapshot so that a drift is a difference that somebody reads."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from container_kit import WiringError, Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.builtin.build import BUILD
from container_kit.tools.registry import ALL, ToolSelection, instructions, select_tools
from container_kit.tools.tool import Tool
from support.mcp.tools import connected

pytestmark = pytest.mark.anyio

SNAPSHOTS = Path(__file__).parent / "tools"


async def listed(workspace: Workspace) -> dict[str, dict[str, Any]]:
    async with connected(RunService(workspace)) as client:
        tools = (await client.list_tools()).tools
    return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools}


async def test_every_tool_is_what_its_snapshot_says(workspace: Workspace) -> None:
    tools = await listed(workspace)
    if os.environ.get("CONTAINER_KIT_WRITE"):
        SNAPSHOTS.mkdir(exist_ok=True)
        for name, tool in tools.items():
            (SNAPSHOTS / f"{name}.json").write_text(json.dumps(tool, indent=2) + "\n")
    kept = {path.stem: json.loads(path.read_text()) for path in SNAPSHOTS.glob("*.json")}
    assert tools == kept, "write them anew and read the difference: CONTAINER_KIT_WRITE=1 pytest tests/contract"


async def test_the_whole_default_list_is_at_most_twelve_kilobytes(workspace: Workspace) -> None:
    async with connected(RunService(workspace), offers=select_tools(ALL, ToolSelection())) as client:
        answer = await client.list_tools()
    assert len(answer.model_dump_json(by_alias=True, exclude_none=True)) <= 12 * 1024


@pytest.mark.parametrize("offer", ALL, ids=lambda offer: offer.name)
async def test_a_tool_explains_itself_shortly_and_says_what_comes_next(offer: Tool, workspace: Workspace) -> None:
    tool = (await listed(workspace))[offer.name]
    assert 40 < len(tool["description"].encode()) <= 1536
    assert "Next: " in tool["description"]
    for schema in (tool["inputSchema"], tool["outputSchema"]):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert "$ref" not in json.dumps(schema)
    assert tool["annotations"]["readOnlyHint"] is (offer.effect == "read_only")


def names(**choice: Any) -> list[str]:
    return [offer.name for offer in select_tools(ALL, ToolSelection(**choice))]


def test_toolsets_and_single_tools_add_up() -> None:
    assert names(toolsets=["scan"], tools=["analyze"]) == ["analyze", "scan"]


def test_an_excluded_tool_is_not_offered_whatever_chose_it() -> None:
    assert "deploy" not in names(tools=["deploy", "scan"], exclude_tools=["deploy"])


def test_read_only_wins_over_every_other_choice() -> None:
    assert names(read_only=True) == ["analyze", "scan", "list-runs", "get-run"]
    with pytest.raises(WiringError, match="leaves none"):
        names(tools=["deploy"], read_only=True)


def test_destructive_tools_can_be_left_out() -> None:
    assert names(disable_destructive=True) == ["analyze", "write-dockerfile", "build", "scan", "list-runs", "get-run"]


def test_a_toolset_beside_the_default_ones_is_offered_when_it_is_named() -> None:
    more = (*ALL, replace(BUILD, name="fly", toolset="sky"))
    default = [offer.name for offer in select_tools(ALL, ToolSelection())]
    assert [offer.name for offer in select_tools(more, ToolSelection())] == default
    assert [offer.name for offer in select_tools(more, ToolSelection(toolsets=["sky"]))] == ["fly"]
    assert [offer.name for offer in select_tools(more, ToolSelection(toolsets=["default", "sky"]))] == [*default, "fly"]
    assert select_tools(more, ToolSelection(toolsets=["all"])) == more
    assert [offer.name for offer in select_tools(more, ToolSelection(toolsets=["default"], tools=["fly"]))] == [
        *default,
        "fly",
    ]


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(WiringError, match=r"no toolset kitchen; there are all, build, default, deploy, .*runs, scan"):
        names(toolsets=["kitchen"])


def test_instructions_speak_of_what_is_offered_alone() -> None:
    text = instructions({offer.name: offer for offer in select_tools(ALL, ToolSelection(tools=["analyze", "get-run"]))})
    assert "full-deployment" not in text
    assert "analyze" in text
    assert "change nothing" in text
    assert len(text.encode()) < 2048
