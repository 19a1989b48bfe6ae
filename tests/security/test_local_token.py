"""A server on loopback is not open to every program and user of the machine."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from mcp.client import Client
from mcp.client.sse import sse_client

from support.mcp.servers import SERVE, ask, environment, listening

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(120)]

PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
OPEN = ("/healthz", "/readyz")
GETS = ("/mcp", "/sse", "/runs/data", "/runs/" + "0" * 24 + "/data", "/metrics", *OPEN)


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_every_route_but_health_needs_the_token(transport: str, tmp_path: Path) -> None:
    with listening(transport, tmp_path) as (printed, _):
        url, token = printed.partition("?token=")[::2]
        assert len(token) >= 40
        statuses = {path: ask(url, path)[0] for path in GETS}
        assert {path for path, status in statuses.items() if status not in (401, 404)} == set(OPEN), statuses
        assert ask(url, "/runs")[0] == 401  # the sign-in form, without data
        posts = {
            path: ask(url, path, PING, **JSON)[0]
            for path in ("/mcp", "/messages/", "/messages/?session_id=" + "0" * 32)
        }
        assert set(posts.values()) <= {401, 404}, posts
        for wrong in ("", "x", token[:-1], token + "x", token.swapcase()):
            assert ask(url, "/runs/data", Authorization=f"Bearer {wrong}")[0] == 401
            assert ask(url, f"/metrics?token={wrong}")[0] == 401
            assert ask(url, f"/runs?token={wrong}")[0] == 401
        assert ask(url, "/metrics", Authorization=f"Bearer {token}")[0] == 200


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_client_connects_with_only_the_printed_url(transport: str, tmp_path: Path) -> None:
    with listening(transport, tmp_path) as (url, _), anyio.fail_after(60):
        target = sse_client(url) if transport == "sse" else url
        async with Client(target, mode="legacy") as client:  # type: ignore[arg-type]
            assert (await client.list_tools()).tools
            assert not (await client.call_tool("list-runs", {})).is_error


def test_the_token_is_in_a_private_file_and_survives_a_restart(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (first, _):
        pass
    with listening("http", tmp_path) as (second, _):
        pass
    file = tmp_path / ".home" / "http-token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    tokens = {urlsplit(url).query for url in (first, second)}
    assert tokens == {f"token={file.read_text().strip()}"}


@pytest.mark.parametrize("attack", ["readable", "a link", "known", "a writable folder"])
def test_a_token_that_others_know_or_can_set_is_refused(attack: str, tmp_path: Path) -> None:
    home = tmp_path / ".home"
    home.mkdir(mode=0o700)
    file = home / "http-token"
    if attack == "a link":
        (tmp_path / "mine").write_text("A" * 43)
        (tmp_path / "mine").chmod(0o600)
        file.symlink_to(tmp_path / "mine")
    elif attack == "a writable folder":
        home.chmod(0o777)
    else:
        file.write_text("A" * 43 if attack == "readable" else "A")
        file.chmod(0o644 if attack == "readable" else 0o600)
    ended = start(tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert "http-token" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "AAAA" not in ended.stderr


def start(folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *SERVE, "--transport", "http", "--port", "0", *options],
        cwd=folder,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_operator_can_opt_out_on_loopback_only(tmp_path: Path) -> None:
    with listening("http", tmp_path, "--no-token") as (url, _):
        assert "token" not in url
        assert ask(url, "/mcp", PING, **JSON)[0] != 401
    ended = start(tmp_path, "--no-token", "--host", "0.0.0.0")  # noqa: S104 - refused
    assert ended.returncode == 2
    assert "CONTAINER_KIT_AUTH_TOKEN" in ended.stderr


def test_stdio_needs_no_token_and_makes_no_file(tmp_path: Path) -> None:
    greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    sent = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting})
    answered = subprocess.run(
        [sys.executable, *SERVE],
        cwd=tmp_path,
        env=environment(tmp_path),
        input=sent + "\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "container-kit" in answered.stdout
    assert not (tmp_path / ".home").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_another_user_of_the_machine_cannot_call_the_server(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (printed, _):
        host, _, port = urlsplit(printed).netloc.partition(":")
        request = f"POST /mcp HTTP/1.1\\r\\nHost: {host}:{port}\\r\\nContent-Length: 0\\r\\n\\r\\n"
        script = f"exec 3<>/dev/tcp/{host}/{port}; printf '{request}' >&3; head -n 1 <&3"
        tried = subprocess.run(["/bin/bash", "-c", script], user=65534, capture_output=True, text=True, check=False)
        file = str(tmp_path / ".home" / "http-token")
        read = subprocess.run(["/bin/cat", file], user=65534, capture_output=True, check=False)
    assert "401" in tried.stdout, tried
    assert read.returncode != 0


def test_the_url_of_the_view_signs_in_and_leaves_no_token_behind(tmp_path: Path) -> None:
    with listening("http", tmp_path) as (printed, _):
        parts = urlsplit(printed)
        token = parts.query.removeprefix("token=")
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=20)) as connection:
            connection.request("GET", f"/runs?token={token}")
            answer = connection.getresponse()
            answer.read()
        assert (answer.status, answer.headers["location"]) == (303, "/runs")
        cookie = answer.headers["set-cookie"].partition(";")[0]
        assert token not in answer.headers["set-cookie"]
        assert ask(printed.partition("?")[0], "/runs/data", Cookie=cookie)[0] == 200
