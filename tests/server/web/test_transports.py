"""The real server as a separate process, over each transport and in both protocol revisions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from support.mcp.servers import EACH, ERAS, SERVE, client_of, environment

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.mark.parametrize(("transport", "mode"), EACH)
async def test_tools_progress_and_faults_over_each_transport(transport: str, mode: str, tmp_path: Path) -> None:
    lines: list[str] = []

    async def take(_progress: float, _total: float | None, message: str | None) -> None:
        lines.append(message or "")

    with anyio.fail_after(30):
        async with client_of(transport, tmp_path, mode) as client:
            assert client.protocol_version == ERAS[mode]
            names = {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("build", {"path": "missing"}, progress_callback=take)
    assert {"analyze", "build", "scan", "deploy", "full-deployment"} <= names
    assert result.is_error
    assert result.structured_content is not None
    assert result.structured_content["code"] == "path.not_found"
    assert any("missing does not exist" in line for line in lines)


async def test_a_repository_is_analyzed_over_http(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "requirements.txt").write_text("flask==3.0.0\n")
    (tmp_path / "shop" / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    with anyio.fail_after(30):
        async with client_of("http", tmp_path, "auto") as client:
            result = await client.call_tool("analyze", {"path": "shop"})
    assert not result.is_error
    assert result.structured_content is not None
    assert result.structured_content["analysis"]["modules"][0]["language"]["value"] == "python"


def test_closing_stdin_ends_the_server(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, *SERVE],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, b"")


def test_a_signal_ends_a_server_with_an_idle_client(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, *SERVE],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        request = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",'
        request += b'"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n'
        process.stdin.write(request)
        process.stdin.flush()
        assert b"container-kit" in process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 0
