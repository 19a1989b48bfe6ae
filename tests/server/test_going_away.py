"""Clients and servers that end during a run: stored runs continue unless a person interrupted the server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.mcp.servers import SERVE, environment
from support.pipelines.blocking import offering, there

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


class StdioServer:
    """A server on pipes whose exit can be observed."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *SERVE],
            cwd=folder,
            env=environment(folder, **offering(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask_to_hold(self, folder: Path) -> None:
        """Start a run and return when its stage has started."""
        client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        self._send(id=1, method="initialize", params=client)
        assert self.process.stdout is not None
        assert "container-kit" in self.process.stdout.readline()
        self._send(method="notifications/initialized")
        self._send(id=2, method="tools/call", params={"name": "hold", "arguments": {"folder": str(folder)}})

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def _send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], StdioServer]]:
    servers: list[StdioServer] = []

    def started() -> StdioServer:
        servers.append(StdioServer(tmp_path))
        return servers[-1]

    yield started
    for server in servers:
        server.process.kill()
        server.process.wait()
        for stream in (server.process.stdin, server.process.stdout):
            if stream is not None and not stream.closed:
                stream.close()


async def ended(server: StdioServer) -> int:
    return await anyio.to_thread.run_sync(server.process.wait, 40)


async def the_run(folder: Path, until: str) -> dict[str, Any]:
    """Wait until the newest run has this status, and return it from another server."""
    environ = environment(folder, **offering(folder))
    parameters = StdioServerParameters(command=sys.executable, args=SERVE, cwd=folder, env=environ)
    with anyio.fail_after(50):
        async with Client(stdio_client(parameters)) as client:
            while True:
                listed = await client.call_tool("list-runs", {})
                assert listed.structured_content is not None, listed
                [run] = listed.structured_content["runs"]
                if run["status"] == until:
                    return dict(run)
                await anyio.sleep(0.1)


async def test_a_run_continues_when_its_client_disconnects(start: Callable[[], StdioServer], tmp_path: Path) -> None:
    server = start()
    server.ask_to_hold(tmp_path)
    await there(tmp_path / "begun")
    server.close_input()
    (tmp_path / "go").touch()
    assert await ended(server) == 0
    assert (tmp_path / "done").exists()
    assert (await the_run(tmp_path, "success"))["pipeline"] == "hold"


async def test_a_terminated_server_leaves_its_run_to_the_next_one(
    start: Callable[[], StdioServer], tmp_path: Path
) -> None:
    server = start()
    server.ask_to_hold(tmp_path)
    await there(tmp_path / "begun")
    server.process.send_signal(signal.SIGTERM)
    assert await ended(server) == 0
    assert not (tmp_path / "done").exists()
    (tmp_path / "go").touch()
    await the_run(tmp_path, "success")
    assert (tmp_path / "done").exists()


async def test_interrupting_a_server_cancels_its_run(start: Callable[[], StdioServer], tmp_path: Path) -> None:
    server = start()
    server.ask_to_hold(tmp_path)
    await there(tmp_path / "begun")
    server.process.send_signal(signal.SIGINT)
    assert await ended(server) == 0
    await the_run(tmp_path, "cancelled")
    assert not (tmp_path / "done").exists()
