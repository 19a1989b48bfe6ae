"""Clients that hold connections, streams or guesses block nobody else."""

from __future__ import annotations

import contextlib
import json
import resource
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.mcp.servers import SERVE, ask, environment, listening

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-a: "
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@contextlib.contextmanager
def server_with_descriptors(folder: Path, number: int) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a server that may have a number of open files; yield its URL and process."""
    script = f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({number}, {number})); "
    script += "sys.argv[1:] = ['serve', '--transport', 'http', '--port', '0']; "
    script += f"runpy.run_module({SERVE[1]!r}, run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder, env=environment(folder), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert line.startswith("serving "), line + process.stderr.read()
        yield line.split()[1], process
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


def connect(url: str, sent: bytes) -> socket.socket:
    host, _, port = urlsplit(url).netloc.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    with contextlib.suppress(OSError):
        connection.sendall(sent)
    return connection


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and not connection.recv(4096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("sent", [HEAD, b"", b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"])
def test_connections_without_a_request_block_nobody_and_are_closed(sent: bytes, tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 400
    with server_with_descriptors(tmp_path, 200) as (url, process), contextlib.ExitStack() as stack:
        held = [stack.enter_context(contextlib.closing(connect(url, sent))) for _ in range(230)]
        begun = time.monotonic()
        assert ask(url, "/healthz")[0] == 200
        assert time.monotonic() - begun < 8
        deadline = time.monotonic() + 25
        while not all(map(is_closed, held)) and time.monotonic() < deadline:
            for connection in held:
                with contextlib.suppress(OSError):
                    connection.send(b"a" if sent else b"")  # a drop at a time
            select.select([], [], [], 0.5)
        assert [connection for connection in held if not is_closed(connection)] == []
        assert ask(url, "/healthz")[0] == 200
        assert process.poll() is None


def test_an_idle_connection_after_a_response_is_closed(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (url, _):
        request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with contextlib.closing(connect(url, request)) as connection:
            connection.settimeout(15)
            with connection.makefile("rb") as answer:
                assert answer.read().endswith(b"ok\n")  # the end of the file is the end of the connection


def test_one_client_opens_a_bounded_number_of_streams(tmp_path: Path) -> None:
    variables = {"CONTAINER_KIT_MAX_STREAMS_PER_CLIENT": "5"}
    with listening("sse", tmp_path, **variables) as (url, _), contextlib.ExitStack() as stack:
        token = urlsplit(url).query.removeprefix("token=")
        host = urlsplit(url).netloc
        request = f"GET /sse HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        ask(url, "/runs/data")  # from here on the server recognises the token
        statuses = []
        for _ in range(12):
            connection = stack.enter_context(contextlib.closing(connect(url, request)))
            statuses.append(connection.recv(4096).split()[1])
        assert statuses.count(b"200") == 5
        assert statuses.count(b"429") == 7
        assert ask(url, "/runs/data")[0] == 200


def guess(url: str, number: int) -> list[int]:
    wrong = {"Authorization": f"Bearer guess-{number}"}
    body = json.dumps({"token": f"guess-{number}"}).encode()
    return [
        ask(url, "/runs/sign-in", body, **JSON, **wrong)[0],
        ask(url, "/runs/data", **wrong)[0],
        ask(url, "/runs/data", Cookie=f"a={number}", **wrong)[0],
        ask(url, "/metrics", **wrong)[0],
        ask(url, f"/metrics?token={number}", **wrong)[0],
        ask(url, "/mcp", b"{}", **JSON, **wrong)[0],
    ]


def test_guesses_are_limited_by_address_whatever_they_carry_and_do_not_lock_out_others(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_RATE_LIMIT_PER_MINUTE="30") as (url, _):
        assert ask(url, "/runs/data")[0] == 200  # a client with the token, from the same address
        statuses = [status for number in range(8) for status in guess(url.partition("?")[0], number)]
        assert set(statuses) == {401, 429}
        assert statuses[-10:] == [429] * 10
        assert ask(url, "/runs/data")[0] == 200


def test_a_principal_with_a_token_is_limited_too(tmp_path: Path) -> None:
    with listening("http", tmp_path, CONTAINER_KIT_RATE_LIMIT_PER_MINUTE="10") as (url, _):
        statuses = [ask(url, "/runs/data")[0] for _ in range(14)]
    assert statuses == [200] * 10 + [429] * 4
