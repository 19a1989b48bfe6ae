"""The run view inside a client: the official bridge in real Chromium, a real MCP client and a real server."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.extension import advertise
from mcp.client.stdio import StdioServerParameters, stdio_client
from playwright.async_api import FrameLocator, Page, expect

from container_kit.tools.protocol.apps import RUN_VIEW_URI
from support.mcp.browser import bridge_script, browser, page_of
from support.mcp.servers import SERVE, environment
from support.pipelines.gated import HOSTILE

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(180)]

TESTS = str(Path(__file__).parents[2])


@dataclass
class Shown:
    """A view on a page, with its client and gates."""

    page: Page
    view: FrameLocator
    client: Client
    gates: Path
    errors: list[str]


@pytest.fixture(scope="module")
def script() -> str:
    return bridge_script()


@contextlib.asynccontextmanager
async def shown(folder: Path, script: str) -> AsyncIterator[Shown]:
    """Yield a client that can display views, on a server with the pipeline `show`."""
    gates = folder / "gates"
    gates.mkdir()
    variables = environment(folder, PYTHONPATH=TESTS, CONTAINER_KIT_PIPELINES="support.pipelines.gated")
    parameters = StdioServerParameters(command=sys.executable, args=SERVE, cwd=folder, env=variables)
    views = advertise("io.modelcontextprotocol/ui", {"mimeTypes": ["text/html;profile=mcp-app"]})
    async with (
        Client(stdio_client(parameters), extensions=[views]) as client,
        browser() as running,
        page_of(running, viewport={"width": 760, "height": 900}) as (page, errors),
    ):

        async def call_tool(params: dict[str, Any]) -> dict[str, Any]:
            answer = await client.call_tool(params["name"], params.get("arguments"))
            return answer.model_dump(mode="json", by_alias=True, exclude_none=True)

        await page.expose_function("callTool", call_tool)
        await page.goto("about:blank")
        await page.evaluate(script)
        yield Shown(page, page.frame_locator("iframe"), client, gates, errors)


async def show(it: Shown, tool: str, given: dict[str, Any], **context: Any) -> None:
    html = (await it.client.read_resource(RUN_VIEW_URI)).contents[0]
    await it.page.evaluate("(given) => window.show(...given)", [html.text, tool, given, context])  # type: ignore[union-attr]


async def test_a_call_is_shown_live_from_its_start_to_its_fault(tmp_path: Path, script: str) -> None:
    async with shown(tmp_path, script) as it, anyio.create_task_group() as group:
        given = {"gates": "gates"}

        async def call() -> None:
            answer = await it.client.call_tool("show", given)
            await it.page.evaluate("window.finish", answer.model_dump(mode="json", by_alias=True, exclude_none=True))

        group.start_soon(call)
        await show(it, "show", given, theme="dark")
        view = it.view
        await expect(view.locator("#name")).to_have_text("show")
        await expect(view.get_by_role("button", name="prepare: running")).to_be_visible()
        await expect(view.locator("html")).to_have_attribute("data-theme", "dark")
        group_of_two = view.get_by_role("list", name="In parallel: light, sound")
        await expect(group_of_two.get_by_role("button")).to_have_count(2)
        conditional = view.get_by_role("button", name="overture: pending, only if needed")
        await expect(conditional).to_be_visible()

        (it.gates / "prepare.says").write_text(f"{HOSTILE}\n\x1b[31mred\x1b[0m\n")
        await expect(view.locator("#lines")).to_contain_text(HOSTILE)
        await expect(view.locator("#lines")).to_contain_text("red")
        assert "\x1b" not in (await view.locator("#lines").inner_text())
        (it.gates / "prepare").touch()
        (it.gates / "light").touch()
        await expect(view.get_by_role("button", name="light: done")).to_be_visible()
        await expect(view.get_by_role("heading", name="Log of sound")).to_be_visible()
        (it.gates / "play.fail").touch()
        (it.gates / "sound").touch()
        fault = view.get_by_role("region", name="show.stopped")
        await expect(fault).to_contain_text(f"play was stopped {HOSTILE}")
        await expect(fault).to_contain_text("Take the file play.fail away.")
        await expect(fault).to_contain_text(f"STOP {HOSTILE}")
        await expect(view.get_by_role("button", name="play: failed")).to_have_attribute("aria-pressed", "true")
        await expect(view.get_by_role("button", name="overture: skipped")).to_be_visible()
        await expect(view.get_by_role("list", name="Failed attempts").get_by_role("listitem")).to_have_count(1)
        await expect(view.locator("#status")).to_have_text("Failed")
        await expect(view.get_by_role("status")).to_contain_text("Failed")

        await fault.get_by_role("button", name="Ask the assistant to do it").click()
        said = await it.page.wait_for_function("window.said[0]")
        assert "retry-run" in await said.json_value()
        assert await view.locator("html").evaluate("() => window.hurt") is None
        assert await it.page.evaluate("Math.max(...window.heights)") > 300
        await it.page.evaluate("window.restyle({ theme: 'light' })")
        await expect(view.locator("html")).to_have_attribute("data-theme", "light")
        await it.page.evaluate("window.end()")
        assert it.errors == []


async def test_a_finished_run_is_shown_and_an_invalid_call_shows_its_fault(tmp_path: Path, script: str) -> None:
    async with shown(tmp_path, script) as it:
        for name in ("prepare", "light", "sound", "play"):
            (it.gates / name).touch()
        played = await it.client.call_tool("show", {"gates": "gates"})
        run = played.structured_content["run"]  # type: ignore[index]
        await show(it, "get-run", {"run": run})
        await expect(it.view.locator("#status")).to_have_text("Succeeded")
        await expect(it.view.locator("#id")).to_have_text(run)

        refused = await it.client.call_tool("show", {"gatez": "gates"})
        await show(it, "show", {"gatez": "gates"})
        await it.page.evaluate("window.finish", refused.model_dump(mode="json", by_alias=True, exclude_none=True))
        await expect(it.view.get_by_role("region", name="request.invalid")).to_contain_text("gatez")
        assert it.errors == []
