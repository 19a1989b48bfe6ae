"""A run that needs approval asks at the terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.mcp.servers import environment

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

PIPELINES = """
from pathlib import Path
from container_kit import Artifact, AtomicPipeline, Stage, StageContext

class Place(Artifact):
    folder: str

class Built(Artifact):
    file: str

class Build(Stage[Built]):
    async def execute(self, ctx: StageContext, place: Place) -> Built:
        (Path(place.folder) / "built").touch()
        return Built(file="built")

careful = AtomicPipeline("careful", inputs=Place)
careful.add_approval("consent", lambda made: "Build here?").add_stage(Build())
"""
COMMAND = [sys.executable, "-m", "container_kit.server.cli.main", "run", "careful", "--folder"]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "consent_pipelines.py").write_text(PIPELINES)
    more = {"PYTHONPATH": str(tmp_path), "CONTAINER_KIT_PIPELINES": "consent_pipelines"}
    return environment(tmp_path, TERM="xterm", COLUMNS="100", **more)


@pytest.mark.parametrize(("said", "code", "built"), [("y", 0, True), ("", 1, False), ("no", 1, False)])
def test_a_protected_deployment_asks_at_the_terminal(
    said: str, code: int, built: bool, variables: dict[str, str], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, str(tmp_path)], cwd=tmp_path, env=variables, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE
    ) as process:
        os.close(theirs)
        guard = threading.Timer(50, process.kill)
        guard.start()
        shown = b""
        while b"Build here? [y/N]" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, f"{said}\n".encode())
        try:
            while more := os.read(ours, 1000):
                shown += more
        except OSError:  # the other end is closed
            pass
        guard.cancel()
    os.close(ours)
    assert process.returncode == code, shown.decode()
    assert (tmp_path / "built").exists() is built
    assert (b"approval.rejected" in shown) is not built


def test_without_a_terminal_nothing_is_deployed(variables: dict[str, str], tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, str(tmp_path)],
        cwd=tmp_path,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == 1
    assert "approval.timed_out" in ended.stderr
    assert not (tmp_path / "built").exists()
