"""Notifications of changed runs to subscribers, in both protocol revisions."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceUpdatedNotification

from container_kit import Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.custom import custom_tool, pipeline_finder
from support.mcp.servers import SERVE, environment
from support.mcp.tools import connected, toolset
from support.pipelines.gated import show

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning"),  # clients of revision 2025-11-25 send it
]

WAIT = 40


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    (tmp_path / "gates").mkdir()
    return tmp_path / "gates"


class Heard:
    """Records the notifications of a client."""

    def __init__(self) -> None:
        self.uris: list[str] = []

    async def legacy(self, message: Any) -> None:
        """Record a message of the server."""
        if isinstance(message, ResourceUpdatedNotification):
            self.uris.append(str(message.params.uri))

    async def more(self, uri: str, than: int) -> None:
        """Wait until a resource has more notifications than this."""
        with anyio.fail_after(WAIT):
            while self.uris.count(uri) <= than:
                await anyio.sleep(0.02)


@asynccontextmanager
async def subscribed(client: Client, mode: str, heard: Heard, uris: list[str]) -> AsyncIterator[list[str]]:
    """Subscribe in the way of the revision; yield the accepted URIs."""
    if mode == "legacy":
        for uri in uris:
            await client.session.subscribe_resource(uri)
        yield uris
        return
    async with client.listen(resource_subscriptions=uris) as stream, anyio.create_task_group() as group:

        async def hear() -> None:
            async for event in stream:
                heard.uris.append(event.uri)  # type: ignore[union-attr]

        group.start_soon(hear)
        yield list(stream.honored.resource_subscriptions or ())
        group.cancel_scope.cancel()


async def running(client: Client) -> str:
    """Return the id of the running run once its first stage runs."""
    with anyio.fail_after(WAIT):
        while True:
            runs = (await client.call_tool("list-runs", {"status": "running"})).structured_content
            if runs and runs["runs"] and runs["runs"][0].get("stage"):
                return str(runs["runs"][0]["id"])
            await anyio.sleep(0.02)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_subscriber_of_a_run_or_a_log_is_notified_until_the_run_ends(mode: str, gates: Path) -> None:
    heard = Heard()
    runs = RunService(Workspace([gates.parent]), find=pipeline_finder([show]))
    async with (
        connected(runs, mode, [custom_tool(show), *toolset("runs")], message_handler=heard.legacy) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(client.call_tool, "show", {"gates": "gates"})
        run = await running(client)
        uri, log, other = f"run://{run}", f"run://{run}/stages/prepare/log", f"run://{run}/stages/play/log"
        async with subscribed(client, mode, heard, [uri, log, other]) as honoured:
            assert honoured == [uri, log, other]
            (gates / "prepare.says").write_text("hello\n")
            await heard.more(log, 0)
            await heard.more(uri, 0)
            assert other not in heard.uris
            told = heard.uris.count(uri)
            for name in ("prepare", "light", "sound", "play"):
                (gates / name).touch()
            await heard.more(uri, told)
            with anyio.fail_after(WAIT):
                while True:  # the last notification follows the end
                    read = (await client.read_resource(uri)).contents[0]
                    if json.loads(read.text)["status"] == "success":  # type: ignore[union-attr]
                        break
                    await heard.more(uri, heard.uris.count(uri))


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_subscription_to_an_unknown_run_is_rejected(mode: str, workspace: Workspace) -> None:
    uri = "run://" + "0" * 24
    async with connected(RunService(workspace), mode) as client:
        if mode == "legacy":
            with pytest.raises(MCPError):
                await client.session.subscribe_resource(uri)
        else:
            async with client.listen(resource_subscriptions=[uri, "pipeline://build"]) as stream:
                assert stream.honored.resource_subscriptions == ["pipeline://build"]


async def test_there_are_not_notifications_after_unsubscribing(gates: Path) -> None:
    heard = Heard()
    runs = RunService(Workspace([gates.parent]), find=pipeline_finder([show]))
    async with (
        connected(runs, "legacy", [custom_tool(show), *toolset("runs")], message_handler=heard.legacy) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(client.call_tool, "show", {"gates": "gates"})
        run = await running(client)
        uri, log = f"run://{run}", f"run://{run}/stages/prepare/log"
        async with subscribed(client, "legacy", heard, [uri, log]):
            await client.session.unsubscribe_resource(log)
            (gates / "prepare.says").write_text("hello\n")
            await heard.more(uri, 0)
            for name in ("prepare", "light", "sound", "play"):
                (gates / name).touch()
    assert log not in heard.uris


@pytest.mark.integration
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_stored_runs_are_notified_over_stdio(mode: str, gates: Path) -> None:
    heard = Heard()
    variables = environment(
        gates.parent, PYTHONPATH=str(Path(__file__).parents[2]), CONTAINER_KIT_PIPELINES="support.pipelines.stored"
    )
    server = StdioServerParameters(command=sys.executable, args=SERVE, cwd=gates.parent, env=variables)
    async with (
        Client(stdio_client(server), mode=mode, message_handler=heard.legacy) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(client.call_tool, "stored-show", {"gates": "gates"})
        run = await running(client)
        async with subscribed(client, mode, heard, [f"run://{run}"]):
            seen = (await client.call_tool("watch-run", {"run": run})).structured_content
            (gates / "prepare-stored").touch()
            await heard.more(f"run://{run}", 0)
    assert seen is not None
    [[stage]] = seen["groups"]
    assert (stage["name"], stage["state"], stage["attempts"]) == ("prepare-stored", "running", 1)
