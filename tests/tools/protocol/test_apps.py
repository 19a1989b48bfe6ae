"""The Apps extension in both protocol revisions: its visibility, and the data of the view."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.extension import advertise

from container_kit import Fault, Workspace
from container_kit.pipelines.catalog import plan
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.custom import custom_tool, pipeline_finder
from container_kit.tools.protocol.apps import RUN_VIEW_URI
from container_kit.tools.registry import ALL, ToolSelection, select_tools
from container_kit.tools.run_view import page as view
from container_kit.tools.run_view.page import page
from support.mcp.tools import IMAGE, connected, runs_of
from support.pipelines.gated import show

pytestmark = pytest.mark.anyio

ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
VIEWS = advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})
BROKEN = Fault(code="build.step_failed", message="step 2 failed", hint="Mend it.")


async def listed(client: Client) -> dict[str, dict[str, Any] | None]:
    return {tool.name: tool.meta for tool in (await client.list_tools()).tools}


@ERAS
async def test_a_client_without_views_receives_none(mode: str, workspace: Workspace) -> None:
    async with connected(runs_of(workspace, {}), mode, select_tools(ALL, ToolSelection())) as client:
        tools = await listed(client)
    assert list(tools) == [tool.name for tool in select_tools(ALL, ToolSelection())]
    assert set(tools.values()) == {None}


@ERAS
async def test_a_client_with_views_receives_one_with_every_tool_that_shows_a_run(
    mode: str, workspace: Workspace
) -> None:
    async with connected(
        runs_of(workspace, {}), mode, select_tools(ALL, ToolSelection()), extensions=[VIEWS]
    ) as client:
        tools = await listed(client)
        read = (await client.read_resource(RUN_VIEW_URI)).contents[0]
        resources = {resource.uri: resource for resource in (await client.list_resources()).resources}
    assert tools.pop("watch-run") == {"ui": {"resourceUri": RUN_VIEW_URI, "visibility": ["app"]}}
    assert tools.pop("list-runs") is None
    assert all(meta == {"ui": {"resourceUri": RUN_VIEW_URI}} for meta in tools.values())
    assert {"full-deployment", "build", "get-run", "retry-run"} <= set(tools)
    assert read.mime_type == "text/html;profile=mcp-app"
    assert read.text == page()  # type: ignore[union-attr]
    nowhere: dict[str, list[str]] = {"connectDomains": [], "resourceDomains": [], "frameDomains": []}
    assert resources[RUN_VIEW_URI].meta == {"ui": {"csp": nowhere, "prefersBorder": True}}


@ERAS
async def test_the_view_receives_the_graph_the_stages_and_next_actions(mode: str, workspace: Workspace) -> None:
    (workspace.roots[0] / "app.py").write_text("print()\n")
    (workspace.roots[0] / "Dockerfile").write_text("FROM scratch\n")
    runs = runs_of(workspace, {"full-deployment": {"build": BROKEN}, "build": {"build": IMAGE}})
    async with connected(runs, mode) as client:
        failed = await client.call_tool("full-deployment", {"path": "."})
        assert failed.structured_content is not None
        run = failed.structured_content["resume"]["run_id"]
        seen = (await client.call_tool("watch-run", {"run": run, "stage": "build"})).structured_content
        unknown = await client.call_tool("watch-run", {"tool": "build"})
    assert seen is not None
    assert (seen["id"], seen["status"], seen["fault"]["code"]) == (run, "failed", "build.step_failed")
    points = [point for group in seen["groups"] for point in group]
    stages = [point for point in points if point["kind"] == "stage"]
    assert [stage["name"] for stage in stages] == [step.name for step in plan("full-deployment").steps()]
    assert [(point["name"], point["state"]) for point in points if point["kind"] == "approval"] == [
        (approval.name, "not_run") for here in plan("full-deployment").approvals.values() for approval in here
    ]
    by_name = {stage["name"]: stage for stage in stages}
    assert by_name["write-dockerfile"]["conditional"]
    assert not by_name["build"]["conditional"]
    assert [by_name[name]["state"] for name in ("analyze", "write-dockerfile", "build", stages[-1]["name"])] == [
        "success", "skipped", "failed", "not_run",
    ]  # fmt: skip
    assert seen["log"] == {"stage": "build", "lines": [], "first": 1, "total": 0}
    assert unknown.structured_content is not None
    assert unknown.structured_content["code"] == "run.not_found"


def test_the_page_inserts_only_text_and_loads_nothing_from_elsewhere() -> None:
    text = page()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)
    assert not re.search(r"""(src|href)=["'](?!\$)|https?://(?!www\.w3\.org/2000/svg)|url\(|@import""", text)
    assert "connect-src 'none'" in text
    assert "connect-src 'self'" in page("'self'")
    assert text.count("<script>") == text.count("</script>") == 1
    for file in Path(view.__file__).parent.glob("*.js"):
        assert len(file.read_text().splitlines()) <= 260, file.name


async def test_a_custom_pipeline_has_the_view_without_further_code(workspace: Workspace) -> None:
    async with connected(
        RunService(workspace, find=pipeline_finder([show])), "auto", [custom_tool(show)], extensions=[VIEWS]
    ) as client:
        assert (await listed(client))["show"] == {"ui": {"resourceUri": RUN_VIEW_URI}}
