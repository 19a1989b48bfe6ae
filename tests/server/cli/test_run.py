"""`container-kit run` as a separate process: output, interruption and recovery."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import anyio
import pytest

from support.mcp.servers import environment
from support.pipelines.blocking import offering, there

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(120)]

RUN = [sys.executable, "-m", "container_kit.server.cli.main", "run"]


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    variables = environment(folder, **offering(folder))
    return subprocess.run(
        [*RUN, *words], cwd=folder, env=variables, capture_output=True, text=True, timeout=50, check=False
    )


@contextmanager
def holding(folder: Path, stderr: int | IO[bytes] = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """Return the command that waits for a file `go`."""
    variables = environment(folder, TERM="xterm", COLUMNS="100", **offering(folder))
    process = subprocess.Popen(
        [*RUN, "hold", "--folder", str(folder)], cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=stderr
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def listed(folder: Path) -> list[dict[str, Any]]:
    """Return all runs, newest first, from another process."""
    told = command(folder, "list-runs", "--json")
    assert told.returncode == 0, told.stderr
    return list(json.loads(told.stdout)["runs"])


async def test_the_next_command_finishes_a_killed_run(tmp_path: Path) -> None:
    with holding(tmp_path) as process:
        await there(tmp_path / "begun")
        process.kill()
    [killed] = listed(tmp_path)
    assert killed["status"] == "running", "a command that only looks takes over nothing"
    with holding(tmp_path) as process:
        await there(tmp_path / f"begun-{killed['id']}-{process.pid}")
        (tmp_path / "go").touch()
        _, stderr = await anyio.to_thread.run_sync(lambda: process.communicate(timeout=50))
        assert process.returncode == 0, stderr
    assert [run["status"] for run in listed(tmp_path)] == ["success", "success"]


async def test_an_interrupt_cancels_the_run_and_is_reported(tmp_path: Path) -> None:
    with holding(tmp_path) as process:
        await there(tmp_path / "begun")
        process.send_signal(signal.SIGINT)
        stdout, stderr = await anyio.to_thread.run_sync(lambda: process.communicate(timeout=50))
    assert (process.returncode, stdout) == (130, b"")
    assert b"Interrupted" in stderr
    assert [run["status"] for run in listed(tmp_path)] == ["cancelled"]
    assert not (tmp_path / "done").exists()


async def test_a_terminal_shows_one_live_line_per_stage_and_the_result(tmp_path: Path) -> None:
    terminal, its_end = pty.openpty()
    with holding(tmp_path, stderr=its_end) as process:
        os.close(its_end)
        await there(tmp_path / "begun")
        shown = await anyio.to_thread.run_sync(until, terminal, "waiting for go")
        assert re.search(r"▸ wait +\d+\.\d s waiting for go", shown), shown
        (tmp_path / "go").touch()
        stdout, _ = await anyio.to_thread.run_sync(lambda: process.communicate(timeout=50))
        last = await anyio.to_thread.run_sync(until, terminal, None)
    os.close(terminal)
    assert process.returncode == 0
    assert re.search(r"✓ wait +\d+\.\d s", last), last
    assert "hold: success" in stdout.decode()


def until(terminal: int, words: str | None) -> str:
    """Read a terminal until these words appear, without control sequences; None reads to the end."""
    shown = ""
    while words is None or words not in shown:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the writer has closed it
            break
        if not part:
            break
        shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", part.decode("utf-8", "replace"))
    return shown


def test_an_unknown_tool_is_rejected_with_the_existing_ones(tmp_path: Path) -> None:
    refused = command(tmp_path, "bake")
    assert refused.returncode == 2
    assert "no tool 'bake'; choose from full-deployment, analyze" in refused.stderr


def test_a_fault_shows_the_command_to_type_next(tmp_path: Path) -> None:
    failed = command(tmp_path, "build", "nowhere")
    assert failed.returncode == 1
    assert "path.not_found" in failed.stderr
    assert "hint: " in failed.stderr
