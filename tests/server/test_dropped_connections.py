"""Dropped connections and killed servers during a call over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import sys
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.mcp.servers import SERVE, environment, listening
from support.mcp.tasks import TaskClient, ask, call, until
from support.pipelines.blocking import offering, there

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(150)]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """Start a server with the pipeline `hold`, on the store of a folder."""
    with listening("http", folder, CONTAINER_KIT_NO_TOKEN="true", **offering(folder)) as server:
        yield server


@contextlib.asynccontextmanager
async def client_on(url: str) -> AsyncIterator[Client]:
    async with Client(url, extensions=[TaskClient()]) as client:
        yield client


async def task_that_holds(url: str, folder: Path) -> str:
    """Return a running task whose client has disconnected."""
    async with client_on(url) as client:
        task = await call(client, "hold", {"folder": str(folder)})
        assert isinstance(task, dict), task
        await there(folder / "begun")
        return str(task["taskId"])


def result_of(task: dict[str, Any]) -> dict[str, Any]:
    assert task["status"] == "completed", task
    content: dict[str, Any] = task["result"]["structuredContent"]
    return content


async def test_a_client_that_reconnects_gets_the_result_of_its_task(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _):
        task_id = await task_that_holds(url, tmp_path)
        async with client_on(url) as client:
            assert (await ask(client, "tasks/get", task_id))["status"] == "working"
            (tmp_path / "go").touch()
            content = result_of(await until(client, task_id))
    assert content["done"] == {"by": "wait"}


async def test_the_next_server_resumes_the_tasks_of_a_killed_one(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, pid):
        task_id = await task_that_holds(url, tmp_path)
        os.kill(pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    with serving(tmp_path) as (url, _):
        async with client_on(url) as client:
            content = result_of(await until(client, task_id))
            again = result_of(await until(client, task_id))
    assert content["done"] == {"by": "wait"}
    assert content["stages"][0]["status"] == "success"
    assert content == again


async def test_another_server_on_the_same_store_shows_and_cancels_a_task(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _), serving(tmp_path) as (other, _):
        task_id = await task_that_holds(url, tmp_path)
        async with client_on(other) as client:
            assert (await ask(client, "tasks/get", task_id))["status"] == "working"
            await ask(client, "tasks/cancel", task_id)
            assert (await until(client, task_id))["status"] == "cancelled"
    assert not (tmp_path / "done").exists()


async def test_a_task_outlives_its_stdio_server(tmp_path: Path) -> None:
    variables = environment(tmp_path, **offering(tmp_path))
    parameters = StdioServerParameters(command=sys.executable, args=SERVE, cwd=tmp_path, env=variables)
    async with Client(stdio_client(parameters), extensions=[TaskClient()]) as client:
        task = await call(client, "hold", {"folder": str(tmp_path)})
        assert isinstance(task, dict), task
        await there(tmp_path / "begun")
    (tmp_path / "go").touch()
    async with Client(stdio_client(parameters), extensions=[TaskClient()]) as client:
        content = result_of(await until(client, task["taskId"]))
    assert content["done"] == {"by": "wait"}


class Raw:
    """A client that sends raw requests and can drop its connection."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._path = urllib.parse.urlsplit(url).path
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
        self._headers = headers

    def send(
        self, method: str, params: dict[str, Any], number: int | None = 1, **headers: str
    ) -> http.client.HTTPResponse:
        message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})
        known = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        self._connection.request("POST", self._path, json.dumps(message), {**known, **self._headers, **headers})
        return self._connection.getresponse()

    def drop(self) -> None:
        self._connection.close()


CLIENT = {"name": "raw", "version": "1"}


def hold_in_2025(url: str, folder: Path) -> Raw:
    """Start a call of `hold` in revision 2025-11-25."""
    opening = Raw(url, {})
    answer = opening.send("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT})
    session = {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
    answer.read()
    opening.send("notifications/initialized", {}, None, **session).read()
    opening.drop()
    raw = Raw(url, session)
    raw.send("tools/call", {"name": "hold", "arguments": {"folder": str(folder)}}, 2)
    return raw


def hold_in_2026(url: str, folder: Path) -> Raw:
    """Start a call of `hold` in revision 2026-07-28."""
    raw = Raw(url, {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "hold"})
    about = "io.modelcontextprotocol/"
    meta = {f"{about}protocolVersion": "2026-07-28", f"{about}clientInfo": CLIENT, f"{about}clientCapabilities": {}}
    raw.send("tools/call", {"name": "hold", "arguments": {"folder": str(folder)}, "_meta": meta})
    return raw


async def the_run(url: str, until: str) -> dict[str, Any]:
    """Wait until the only run has this status, and return it."""
    with anyio.fail_after(40):
        async with Client(url) as client:
            while True:
                listed = await client.call_tool("list-runs", {})
                assert listed.structured_content is not None, listed
                [run] = listed.structured_content["runs"]
                if run["status"] == until:
                    got = await client.call_tool("get-run", {"run": run["id"]})
                    assert got.structured_content is not None
                    return dict(got.structured_content)
                await anyio.sleep(0.1)


async def test_in_revision_2025_11_25_a_dropped_connection_cancels_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _):
        raw = await anyio.to_thread.run_sync(hold_in_2025, url, tmp_path)
        await there(tmp_path / "begun")
        raw.drop()
        (tmp_path / "go").touch()
        run = await the_run(url, "success")
    assert run["stages"][0]["status"] == "success"


async def test_in_revision_2026_07_28_closing_the_response_cancels_the_run(tmp_path: Path) -> None:
    with serving(tmp_path) as (url, _):
        raw = await anyio.to_thread.run_sync(hold_in_2026, url, tmp_path)
        await there(tmp_path / "begun")
        raw.drop()
        await the_run(url, "cancelled")
    assert not (tmp_path / "done").exists()
