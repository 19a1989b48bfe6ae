"""Resources, prompts and completions through the real client, in both protocol revisions."""

from __future__ import annotations

import json

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from container_kit import Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.custom import custom_tool, pipeline_finder
from container_kit.tools.registry import ALL, ToolSelection, select_tools
from support.mcp.tools import IMAGE, connected, runs_of
from support.pipelines.gated import show

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", ["legacy", "auto"])]


async def test_a_run_its_log_and_its_pipeline_can_be_read(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {"build": {"build": IMAGE}}), mode) as client:
        built = await client.call_tool("build", {"path": "."})
        assert built.structured_content is not None
        run = built.structured_content["run"]
        seen = json.loads((await client.read_resource(f"run://{run}")).contents[0].text)  # type: ignore[union-attr]
        log = (await client.read_resource(f"run://{run}/stages/build/log?lines=5")).contents[0]
        plan = json.loads((await client.read_resource("pipeline://full-deployment")).contents[0].text)  # type: ignore[union-attr]
    assert (seen["id"], seen["status"]) == (run, "success")
    assert log.text == ""  # type: ignore[union-attr]  # the mock said nothing
    analyze = plan["stages"][1][0]
    assert (analyze["name"], analyze["inputs"], analyze["output"]) == ("analyze", ["Source"], "Analysis")
    assert plan["inputs"]["Source"]["required"] == ["path"]


@pytest.mark.parametrize("uri", ["run://" + "0" * 24, "run://none/stages/build/log", "pipeline://kitchen"])
async def test_a_missing_resource_is_a_not_found_error(mode: str, workspace: Workspace, uri: str) -> None:
    async with connected(runs_of(workspace, {}), mode) as client:
        with pytest.raises(MCPError) as raised:
            await client.read_resource(uri)
    assert raised.value.error.code == -32602


async def test_a_server_has_only_the_prompts_of_its_tools(mode: str, workspace: Workspace) -> None:
    tools = select_tools(ALL, ToolSelection(toolsets=["scan"]))
    async with connected(runs_of(workspace, {}), mode) as client:
        assert [p.name for p in (await client.list_prompts()).prompts] == ["containerize", "repair-run", "review-scan"]
        repair = (await client.get_prompt("repair-run", {"run": "abc"})).messages[0].content
        assert "abc" in repair.text  # type: ignore[union-attr]
    async with connected(runs_of(workspace, {}), mode, tools) as client:
        prompts = (await client.list_prompts()).prompts
        text = (await client.get_prompt("review-scan", {"image": "shop:1"})).messages[0].content
    assert [prompt.name for prompt in prompts] == ["review-scan"]
    assert "shop:1" in text.text  # type: ignore[union-attr]


async def test_ids_names_and_stages_are_completed(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {"build": {"build": IMAGE}}), mode) as client:
        built = await client.call_tool("build", {"path": "."})
        assert built.structured_content is not None
        run = built.structured_content["run"]
        prompt = PromptReference(name="repair-run")
        ids = await client.complete(prompt, {"name": "run", "value": run[:4]})
        template = ResourceTemplateReference(uri="pipeline://{name}")
        names = await client.complete(template, {"name": "name", "value": "full"})
        of_run = ResourceTemplateReference(uri="run://{id}/stages/{stage}/log{?first,lines}")
        stages = await client.complete(of_run, {"name": "stage", "value": ""}, context_arguments={"id": run})
        all_stages = await client.complete(of_run, {"name": "stage", "value": ""})
        nothing = await client.complete(of_run, {"name": "lines", "value": "1"})
    assert ids.completion.values == [run]
    assert stages.completion.values == ["build"]
    assert {"analyze", "build", "scan-image", "verify"} & set(all_stages.completion.values) >= {"analyze", "build"}
    assert nothing.completion.values == []
    assert names.completion.values == ["full-deployment"]


async def test_a_range_of_a_log_is_read(mode: str, workspace: Workspace) -> None:
    (workspace.roots[0] / "gates").mkdir()
    (workspace.roots[0] / "gates" / "prepare.says").write_text("".join(f"line {n}\n" for n in range(1, 1501)))
    for name in ("prepare", "light", "sound", "play"):
        (workspace.roots[0] / "gates" / name).touch()
    async with connected(RunService(workspace, find=pipeline_finder([show])), mode, [custom_tool(show)]) as client:
        played = await client.call_tool("show", {"gates": "gates"})
        assert played.structured_content is not None
        uri = f"run://{played.structured_content['run']}/stages/prepare/log"

        async def lines(query: str) -> list[str]:
            text: str = (await client.read_resource(uri + query)).contents[0].text  # type: ignore[union-attr]
            return text.splitlines()

        assert await lines("?first=11&lines=2") == ["line 11", "line 12"]
        assert await lines("?lines=1") == ["line 1500"]
        assert len(await lines("")) == 1000
        assert len(await lines("?lines=99999")) == 1000
