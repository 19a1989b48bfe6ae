"""The toolset `deployments` through a real client, on the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import jsonschema
import pytest
from docker import APIClient

from container_kit import Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.docker.engine import DockerEngine
from container_kit.tools.registry import ALL, ToolSelection, select_tools
from support.engine.deployments import App, get
from support.engine.web_apps import web_image
from support.mcp.tools import connected, toolset
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

DEPLOYMENTS = toolset("deployments")


async def test_a_deployment_is_listed_logged_verified_rolled_back_and_removed(
    workspace: Workspace,
    engine: DockerEngine,
    docker_api: APIClient,
    ctx: Contexts,
    unique: Callable[[], str],
) -> None:
    app, repository = App(unique(), engine, docker_api, ctx), unique()
    first, second = [await app.deploy(web_image(docker_api, repository, version)) for version in ("v1", "v2")]
    async with connected(RunService(workspace), tools=DEPLOYMENTS) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            with anyio.fail_after(90):
                answer = await client.call_tool(tool, {"name": app.name, **arguments})
            assert not answer.is_error, answer
            jsonschema.validate(answer.structured_content, schemas[tool] or {})
            return answer.structured_content or {}

        [listed] = (await call("list-deployments"))["applications"]["applications"]
        assert [one["state"] for one in listed["versions"]] == ["serving", "kept"]
        assert (await call("deployment-logs"))["application_log"]["lines"] == ["starting v2 with nothing"]
        assert (await call("verify"))["verification"]["healthy"]
        foretold = await call("rollback-deployment", dry_run=True)
        assert foretold["dry_run"]
        assert get(second.host_port) == "v2"
        back = await call("rollback-deployment", version=first.container_name)
        assert back["rollback"]["replaced"] == second.container_name
        assert get(first.host_port) == "v1"
        removed = await call("remove-deployment")
        assert len(removed["removal"]["removed"]) == 2
        gone = await client.call_tool("verify", {"name": app.name})
    assert app.containers() == []
    assert gone.is_error
    assert (gone.structured_content or {})["code"] == "deployment.not_found"


def test_the_toolset_is_on_by_default() -> None:
    names = {tool.name for tool in DEPLOYMENTS}
    assert names == {
        "list-deployments", "deployment-logs", "verify", "rollback-deployment", "remove-deployment",
        "control-deployment", "exec-deployment",
    }  # fmt: skip
    assert names <= {tool.name for tool in select_tools(ALL, ToolSelection())}
    assert {tool.name for tool in select_tools(ALL, ToolSelection(toolsets=["deployments"], read_only=True))} == {
        "list-deployments", "deployment-logs", "verify"
    }  # fmt: skip


async def test_an_unknown_target_is_a_fault_that_names_the_existing_ones(workspace: Workspace) -> None:
    async with connected(RunService(workspace), tools=DEPLOYMENTS) as client:
        answer = await client.call_tool("list-deployments", {"deploy_to": "nowhere"})
    assert (answer.structured_content or {})["code"] == "target.not_found"
    assert (answer.structured_content or {})["next_actions"][0]["arguments"] == {"deploy_to": "local"}
