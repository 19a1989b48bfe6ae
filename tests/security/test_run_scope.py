"""A run belongs to its workspace: an assistant in one project reaches no run of another project of the same user."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from container_kit.pipelines import catalog
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.fault import ConfigurationError, StageFailure
from container_kit.tools.builtin.retry_run import RETRY_RUN, checked_changes
from container_kit.tools.registry import ALL
from container_kit.tools.tool import Tool, ToolCall
from support.mcp.servers import SERVE, environment

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(120)]


@contextlib.asynccontextmanager
async def server_in(workspace: Path, home: Path, *options: str, **variables: str) -> AsyncIterator[Client]:
    """Yield a client on a stdio server with a workspace, on a shared store, without an engine."""
    workspace.mkdir(parents=True, exist_ok=True)
    known = environment(workspace, CONTAINER_KIT_HOME=str(home), DOCKER_HOST="unix:///nowhere/docker.sock")
    parameters = StdioServerParameters(
        command=sys.executable, args=[*SERVE, *options], cwd=workspace, env={**known, **variables}
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert answer.structured_content is not None
    return answer.structured_content


async def failed_deployment(client: Client, **arguments: Any) -> str:
    """Return a stored run. It fails because there is no engine."""
    fault = await call(client, "deploy", image="shop:1", name="shop", **arguments)
    return str(fault["resume"]["run_id"])


async def test_a_server_reaches_no_run_of_another_workspace(tmp_path: Path) -> None:
    home, mine, theirs = tmp_path / "home", tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    (mine / ".env").write_text("SECRET=WSA-PLANTED-5566\n")
    async with server_in(mine, home) as client:
        run = await failed_deployment(client)
    async with server_in(theirs, home) as client:
        changed = {"run": run, "input": {"image": "evil:1", "env_file": str(mine / ".env")}}
        answers = {
            "get-run": await call(client, "get-run", run=run, stage="deploy"),
            "retry-run": await call(client, "retry-run", run=run),
            "retry-run with input": await call(client, "retry-run", **changed),
            "rollback-run": await call(client, "rollback-run", run=run),
            "cancel-run": await call(client, "cancel-run", run=run),
            "deploy": await call(client, "deploy", run=run),
            "watch-run": await call(client, "watch-run", run=run),
        }
        assert {name: answer.get("code") for name, answer in answers.items()} == dict.fromkeys(answers, "run.not_found")
        assert (await call(client, "list-runs"))["runs"] == []
        for uri in (f"run://{run}", f"run://{run}/stages/deploy/log", f"run://{run}/sbom"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)


@pytest.mark.parametrize("workspace", ["mine", "."])
async def test_a_restarted_server_and_one_of_the_folder_above_still_retry_and_roll_back(
    workspace: str, tmp_path: Path
) -> None:
    home, mine = tmp_path / "home", tmp_path / "all" / "mine"
    async with server_in(mine, home) as client:
        run = await failed_deployment(client)
    async with server_in(tmp_path / "all" / workspace, home) as client:
        assert [listed["id"] for listed in (await call(client, "list-runs"))["runs"]] == [run]
        retried = await call(client, "retry-run", run=run, input={"name": "other"})
        assert retried["code"].startswith("engine."), retried  # it was executed
        undone = await call(client, "rollback-run", run=run)
        assert "code" not in undone, undone


async def test_a_server_of_a_folder_inside_reaches_no_run_of_the_folder_above(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with server_in(tmp_path / "all", home) as client:
        run = await failed_deployment(client)
    async with server_in(tmp_path / "all" / "project", home) as client:
        assert (await call(client, "retry-run", run=run))["code"] == "run.not_found"


async def test_a_folder_that_became_a_link_leads_no_run_out_of_the_workspace(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "all" / "project"
    async with server_in(folder, home) as client:
        run = await failed_deployment(client)
    outside = tmp_path / "outside"
    outside.mkdir()
    folder.rmdir()
    folder.symlink_to(outside)
    async with server_in(tmp_path / "all", home) as client:
        assert (await call(client, "retry-run", run=run))["code"] == "run.not_found"


async def test_a_retry_takes_only_the_arguments_of_the_tool_that_was_called(tmp_path: Path) -> None:
    async with server_in(tmp_path / "workspace", tmp_path / "home") as client:
        run = await failed_deployment(client)
        for hidden in ({"user": "0"}, {"volumes": {"data": "/data"}}, {"gapless": True}, {"memory_mb": 1}):
            fault = await call(client, "retry-run", run=run, input=hidden)
            assert fault["code"] == "request.invalid", fault
        again = await call(client, "retry-run", run=run, input={"memory_mb": 256})
    assert again["code"].startswith("engine."), again


def pipeline_tools() -> dict[str, tuple[Tool, Plan]]:
    found = {}
    for name in catalog.names():
        tool = next((tool for tool in ALL if tool.name in (name, name.removesuffix("-source"))), None)
        with contextlib.suppress(ConfigurationError):
            if tool is not None:
                found[name] = (tool, catalog.plan(name))
    return found


@pytest.mark.parametrize("name", sorted(pipeline_tools()))
def test_no_pipeline_input_that_a_tool_hides_passes_a_retry(name: str) -> None:
    tool, plan = pipeline_tools()[name]
    inputs = {field for kind in plan.inputs for field in kind.model_fields}
    call: Any = ToolCall(tool=RETRY_RUN, arguments={}, runs=None, tools={})  # type: ignore[arg-type] - nothing runs
    for field in inputs - set(tool.input.model_fields):
        with pytest.raises(StageFailure, match="there is no such argument"):
            checked_changes(call, tool, {field: None})


async def test_a_rollback_cannot_be_retried_with_other_input(tmp_path: Path) -> None:
    async with server_in(tmp_path / "workspace", tmp_path / "home") as client:
        run = await failed_deployment(client)
        undone = await call(client, "rollback-run", run=run)
        fault = await call(client, "retry-run", run=undone["run"], input={"deploy_to": "other"})
    assert fault["code"] == "request.invalid", fault


async def test_the_terminal_reaches_the_runs_of_all_workspaces(tmp_path: Path) -> None:
    import subprocess

    home, mine, elsewhere = tmp_path / "home", tmp_path / "mine", tmp_path / "elsewhere"
    async with server_in(mine, home) as client:
        run = await failed_deployment(client)
    elsewhere.mkdir()
    variables = environment(elsewhere, CONTAINER_KIT_HOME=str(home))
    command = [sys.executable, "-m", "container_kit.server.cli.main", "run", "get-run", run, "--json"]
    shown = subprocess.run(
        command, cwd=elsewhere, env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert run in shown.stdout, shown.stderr
