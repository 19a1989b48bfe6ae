"""Malicious and broken clients on a real server, next to a well-behaved one."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import pytest
from mcp.client import Client

from support.mcp.servers import SERVE, environment, listening

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(240)]

MIB = 1024 * 1024
GROWTH = 200
"""MiB that a server may grow by, whatever it is sent; a bound, not a measure."""
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def memory(pid: int) -> float:
    """Return the resident memory in MiB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


class Raw:
    """Sends HTTP requests that no client library would send."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url).netloc
        self.headers = {**HEADERS, "Authorization": f"Bearer {url.partition('?token=')[2]}"}
        greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        self._session = self.post(message("initialize", greeting), keep=True)

    def post(self, body: bytes, *, keep: bool = False, **headers: str) -> tuple[int, str]:
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        try:
            connection.request("POST", "/mcp", body, {**self.headers, **headers})
            answer = connection.getresponse()
            if keep and (session := answer.headers.get("mcp-session-id")):
                self.headers["Mcp-Session-Id"] = session
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def message(method: Any, params: Any, number: Any = 1) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


def call(tool: Any, arguments: Any, number: Any = 1) -> bytes:
    return message("tools/call", {"name": tool, "arguments": arguments}, number)


BAD = {
    "no JSON": b"{",
    "nothing": b"",
    "bytes": bytes(range(256)),
    "a number": b"7",
    "an empty list": b"[]",
    "no method": b'{"jsonrpc": "2.0", "id": 1}',
    "an unknown method": message("tools/destroy", {}),
    "a method that is no text": message(["tools/call"], {}),
    "parameters that are a list": message("tools/call", [1, 2]),
    "deep nesting": b"[" * 100_000 + b"]" * 100_000,
    "an unknown tool": call("no-such-tool", {}),
    "a tool that is no text": call({"a": 1}, {}),
    "arguments that are a list": call("build", ["path"]),
    "arguments of wrong types": call("build", {"path": {"a": [1]}, "no_cache": "perhaps", "timeout": "long"}),
    "arguments that are huge": call("build", {"path": "x" * 900_000}),
    "many arguments": call("build", {f"argument{number}": number for number in range(20_000)}),
    "a body over the limit": call("build", {"path": "x" * (2 * MIB)}),
    "an id of another's run": call("get-run", {"run": "0" * 24}),
    "an id that is a path": call("get-run", {"run": "../../etc/passwd"}),
    "a log that is a path": call("get-run", {"run": "0" * 24, "stage": "../../../etc/passwd"}),
    "a resource that is a path": message("resources/read", {"uri": "run://../../etc/passwd"}),
    "a log that is a path as a resource": message("resources/read", {"uri": "run://x/stages/..%2F..%2Fetc/log"}),
}


async def test_malformed_requests_get_a_short_clear_error_and_do_not_affect_others(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_RATE_LIMIT_PER_MINUTE="100000") as (url, pid), anyio.fail_after(200):
        raw = await anyio.to_thread.run_sync(Raw, url)
        before = memory(pid)
        async with Client(url) as behaved:
            for what, body in BAD.items():
                status, text = await anyio.to_thread.run_sync(raw.post, body)
                assert status in (200, 400, 404, 413, 422), (what, status, text[:300])
                assert status != 200 or '"error"' in text or '"isError":true' in text.replace(" ", ""), (
                    what,
                    text[:300],
                )
                assert len(text) < 60_000, (what, len(text))
                assert "Traceback" not in text, what
                assert not (await behaved.call_tool("list-runs", {})).is_error, what
        assert memory(pid) < before + GROWTH


async def test_a_thousand_parallel_calls_are_served_or_rejected_with_bounded_memory(tmp_path: Path) -> None:
    def all_at_once(raw: Raw) -> list[int]:
        with ThreadPoolExecutor(200) as pool:
            return [status for status, _ in pool.map(lambda n: raw.post(call("list-runs", {}, n)), range(1000))]

    with listening("http", tmp_path, CONTAINER_KIT_RATE_LIMIT_PER_MINUTE="100000") as (url, pid), anyio.fail_after(200):
        raw = await anyio.to_thread.run_sync(Raw, url)
        before = memory(pid)
        statuses = await anyio.to_thread.run_sync(all_at_once, raw)
        async with Client(url) as behaved:
            assert not (await behaved.call_tool("list-runs", {})).is_error
        assert set(statuses) <= {200, 503}
        assert 200 in statuses
        assert memory(pid) < before + GROWTH


def stuck(raw: Raw, number: int) -> Iterator[socket.socket]:
    """Open connections that send half a request, or never read the response."""
    host, port = raw.address.split(":")
    lines = [f"{name}: {value}" for name, value in {**raw.headers, "Host": raw.address}.items()]
    ask = message("tools/list", {})
    for each in range(number):
        connection = socket.create_connection((host, int(port)))
        whole = "\r\n".join(["POST /mcp HTTP/1.1", *lines, f"Content-Length: {len(ask)}", "", ""]).encode() + ask
        connection.sendall({0: whole[:40], 1: whole[:-10], 2: whole}[each % 3])
        yield connection


async def test_stalled_clients_do_not_delay_others(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url, pid = stack.enter_context(listening("http", tmp_path, CONTAINER_KIT_RATE_LIMIT_PER_MINUTE="100000"))
        raw = await anyio.to_thread.run_sync(Raw, url)
        before = memory(pid)
        for connection in stuck(raw, 600):
            stack.callback(connection.close)
        with anyio.fail_after(120):
            async with Client(url) as behaved:
                for _ in range(5):
                    assert not (await behaved.call_tool("list-runs", {})).is_error
        assert memory(pid) < before + GROWTH


def test_garbage_on_stdin_is_rejected_or_skipped_and_the_next_request_is_served(tmp_path: Path) -> None:
    lines = [body for what, body in BAD.items() if b"\n" not in body and what != "nothing"]
    greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    said = [message("initialize", greeting, 0), b'{"jsonrpc": "2.0", "method": "notifications/initialized"}', *lines]
    said += [call("list-runs", {}, "last")]
    answer: dict[str, Any] = {}
    with subprocess.Popen(
        [sys.executable, *SERVE],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"\n".join(said) + b"\n")
        process.stdin.flush()
        while answer.get("id") != "last":
            line = process.stdout.readline()
            assert line, "it ended"
            assert len(line) < 60_000
            answer = json.loads(line)
        process.stdin.close()
        process.stdout.read()  # the remaining responses
    assert answer["result"]["structuredContent"] == {"runs": []}
    assert process.returncode == 0
