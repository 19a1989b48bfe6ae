"""Tools through the real client and server in memory, in both protocol revisions, on mocked stages."""

from __future__ import annotations

from typing import Any

import anyio
import jsonschema
import pytest
from mcp.client import Client
from pydantic import JsonValue

from container_kit import Evidence, Fault, NextAction, Stage, StageContext, Workspace
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.placeholder import placeholder
from container_kit.tools.protocol.tool_adapter import TOOL_FAILURE
from container_kit.tools.registry import ALL
from container_kit.tools.run_view.watch_run import WatchRunInput, watch_run
from support.mcp.tools import IMAGE, connected, runs_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", ["legacy", "auto"])]

FAILED = Fault(
    code="build.step_failed",
    message="pip install failed with exit code 1",
    hint="Correct requirements.txt.",
    evidence=(Evidence(kind="instruction", where="Dockerfile:3", text="RUN pip install -r requirements.txt"),),
    next_actions=(NextAction(why="edit requirements.txt:1, then build again"),),
)


class Waiting(Stage[Image]):
    """Runs until it is cancelled."""

    def __init__(self) -> None:
        self.started = anyio.Event()
        self.tidied = anyio.Event()

    async def execute(self, ctx: StageContext, **needs: Any) -> Image:
        try:
            ctx.progress("step 1/2", 0.5)
            self.started.set()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                self.tidied.set()
        raise AssertionError


async def call(client: Client, tool: str, **arguments: JsonValue) -> Any:
    with anyio.fail_after(10):
        return await client.call_tool(tool, arguments)


async def test_a_success_has_the_run_the_stages_and_the_artifact(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {"build": {"build": IMAGE}}), mode) as client:
        result = await call(client, "build", path=".")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert not result.is_error
    assert result.structured_content["image"]["reference"] == "shop:latest"
    assert result.structured_content["stages"][0]["name"] == "build"
    assert result.structured_content["run"] in result.content[0].text
    jsonschema.validate(result.structured_content, tools["build"].output_schema)


async def test_a_failure_is_a_fault_in_the_text_the_structure_and_the_draft_key(
    mode: str, workspace: Workspace
) -> None:
    async with connected(runs_of(workspace, {"build": {"build": FAILED}}), mode) as client:
        result = await call(client, "build", path=".", tag="shop:1")
    assert result.is_error
    assert "build.step_failed" in result.content[0].text
    assert "Dockerfile:3" in result.content[0].text
    fault = result.structured_content
    assert fault["next_actions"] == [
        {"why": FAILED.next_actions[0].why, "arguments": {"run": fault["resume"]["run_id"]}, "tool": "retry-run"}
    ]
    assert result.meta[TOOL_FAILURE] == fault


async def test_a_next_action_works_unchanged(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {"build": {"build": [FAILED, IMAGE]}}), mode) as client:
        action = (await call(client, "build", path=".")).structured_content["next_actions"][0]
        assert not (await call(client, action["tool"], **action["arguments"])).is_error


async def test_a_placeholder_is_refused_by_name_before_anything_runs(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {}), mode) as client:
        sent = {"image": "shop", "env": {"API_KEY": placeholder("API_KEY"), "COLOUR": "blue"}}
        direct = await call(client, "deploy", **sent)
        retry = await call(client, "retry-run", run="0" * 24, input={"env": {"API_KEY": placeholder("API_KEY")}})
    assert direct.structured_content["code"] == "request.placeholder"
    assert "env.API_KEY" in direct.structured_content["hint"]
    assert retry.structured_content["code"] == "request.placeholder"
    assert "input.env.API_KEY" in retry.structured_content["hint"]


async def test_the_answer_get_run_and_the_page_show_the_same_next_actions(mode: str, workspace: Workspace) -> None:
    action = NextAction(why="another tag", arguments={"tag": "shop:2"})
    write = NextAction(why="write one", tool="write-dockerfile")
    failed = FAILED.model_copy(update={"next_actions": (*FAILED.next_actions, action, write)})
    runs = runs_of(workspace, {"build": {"build": failed}})
    async with connected(runs, mode) as client:
        answer = (await call(client, "build", path=".")).structured_content
        run = answer["resume"]["run_id"]
        seen = (await call(client, "get-run", run=run)).structured_content["fault"]
        again = (await call(client, "retry-run", run=run)).structured_content
        seen_again = (await call(client, "get-run", run=again["resume"]["run_id"])).structured_content["fault"]
    tools = {tool.name: tool for tool in ALL}
    page = await watch_run(runs, None, WatchRunInput(run=run), tools)
    shown: Any = page["fault"]
    assert [action["tool"] for action in answer["next_actions"]] == ["retry-run", "build", "write-dockerfile"]
    assert answer["next_actions"] == seen["next_actions"] == shown["next_actions"]
    assert [action["tool"] for action in again["next_actions"]] == ["retry-run", "retry-run", "write-dockerfile"]
    assert again["next_actions"] == seen_again["next_actions"]


async def test_invalid_arguments_are_a_fault_that_repeats_no_value(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {}), mode) as client:
        result = await call(client, "deploy", image="shop", env={"PASSWORD": ["planted-value"]}, prot=80)
    assert result.structured_content["code"] == "request.invalid"
    assert {fact["where"] for fact in result.structured_content["evidence"]} == {"env.PASSWORD", "prot"}
    assert "planted-value" not in result.model_dump_json()


@pytest.mark.parametrize("arguments", [{}, {"path": ".", "image": "shop"}, {"image": "shop", "run": "r"}])
async def test_deploy_takes_exactly_one_image_source(
    mode: str, workspace: Workspace, arguments: dict[str, JsonValue]
) -> None:
    async with connected(runs_of(workspace, {}), mode) as client:
        result = await call(client, "deploy", **arguments)
    assert result.structured_content["code"] == "request.invalid"
    assert "exactly one of path, image and run" in result.content[0].text


async def test_objects_sent_as_json_text_are_decoded(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {"build": {"build": IMAGE}}), mode) as client:
        result = await call(client, "build", path=".", build_args='{"VERSION": "1"}')
    assert not result.is_error


async def test_an_unknown_tool_is_a_clear_error(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {}), mode) as client:
        result = await call(client, "reboot")
    assert result.is_error
    assert 'there is no tool "reboot"' in result.content[0].text


async def test_progress_rises_and_reaches_the_total(mode: str, workspace: Workspace) -> None:
    figures: list[float] = []

    async def take(progress: float, total: float | None, message: str | None) -> None:
        assert total == 100
        assert message
        figures.append(progress)

    runs = runs_of(workspace, {"build": {"build": IMAGE}})
    async with connected(runs, mode) as client:
        await client.call_tool("build", {"path": "."}, progress_callback=take)
        with anyio.fail_after(5):
            while figures[-1:] != [100]:
                await anyio.lowlevel.checkpoint()
    assert figures == sorted(set(figures))


async def test_cancelling_a_call_cancels_the_stage_which_cleans_up(mode: str, workspace: Workspace) -> None:
    stage = Waiting()
    stage.name = "build"  # type: ignore[misc]  # it stands in for that stage
    runs = runs_of(workspace, {"build": {"build": stage}})
    async with connected(runs, mode) as client, anyio.create_task_group() as group:
        group.start_soon(client.call_tool, "build", {"path": "."})
        with anyio.fail_after(5):
            await stage.started.wait()
            group.cancel_scope.cancel()
    with anyio.fail_after(5):
        await stage.tidied.wait()
    [run] = await runs.list_runs()
    assert run.status == "cancelled"


async def test_a_scan_continues_from_the_image_of_a_run(mode: str, workspace: Workspace) -> None:
    runs = runs_of(workspace, {"build": {"build": IMAGE}})
    async with connected(runs, mode) as client:
        built = await call(client, "build", path=".")
        scanned = await call(client, "scan", run=built.structured_content["run"], dry_run=True)
        unknown = await call(client, "scan", run="0" * 24)
    assert scanned.structured_content["code"] == "request.invalid"  # a scan changes nothing: it has no dry run
    assert unknown.structured_content["code"] == "run.not_found"
