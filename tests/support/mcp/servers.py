"""Real servers as separate processes, and clients on them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client

SERVE = ["-m", "container_kit.server.cli.main", "serve"]
ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28"}
EACH = [("stdio", "legacy"), ("stdio", "auto"), ("sse", "legacy"), ("http", "legacy"), ("http", "auto")]
"""Each transport with each protocol revision that it has (SSE has only the older one)."""


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the variables of a server with its workspace and state in a folder of the test."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    return {**kept, "CONTAINER_KIT_WORKSPACE": str(folder), "CONTAINER_KIT_HOME": str(folder / ".home"), **more}


@contextlib.contextmanager
def listening(transport: str, folder: Path, *options: str, **variables: str) -> Iterator[tuple[str, int]]:
    """Start a server on a free port; yield its URL and process id."""
    process = subprocess.Popen(
        [sys.executable, *SERVE, "--transport", transport, "--port", "0", *options],
        cwd=folder,
        env=environment(folder, **variables),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"serving (http://\S+)", line)
        assert found, line + process.stderr.read()
        yield found[1], process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stderr.close()


@contextlib.asynccontextmanager
async def client_of(transport: str, folder: Path, mode: str = "auto", **options: Any) -> AsyncIterator[Client]:
    """Yield a client on a new server, over a real transport."""
    if transport == "stdio":
        parameters = StdioServerParameters(command=sys.executable, args=SERVE, cwd=folder, env=environment(folder))
        async with Client(stdio_client(parameters), mode=mode, **options) as client:
            yield client
        return
    with listening(transport, folder) as (url, _):
        target: Any = sse_client(url) if transport == "sse" else url
        async with Client(target, mode=mode, **options) as client:
            yield client


def ask(url: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Send an HTTP request to a server; return the status, the body and the headers.

    Args:
        url: Its MCP endpoint. The token in it, if any, is sent unless the headers have another one.
    """
    base, token = url.partition("?token=")[::2]
    if token:
        headers.setdefault("Authorization", f"Bearer {token}")
    request = urllib.request.Request(base.rpartition("/")[0] + path, body, headers)  # noqa: S310 - a test's own server
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)
