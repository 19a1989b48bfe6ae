"""The entries, read by the clients that this machine has. Each client takes seconds to start: run with `--run-slow`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from container_kit.server.cli.main import main

PROGRAMS = {
    "claude-code": "claude",
    "codex": "codex",
    "copilot-cli": "copilot",
    "gemini-cli": "gemini",
    "opencode": "opencode",
    "qwen-code": "qwen",
}


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_client_lists_the_server_after_its_installation_and_not_before(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = shutil.which(PROGRAMS[name])
    if program is None:
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    for variable in ("XDG_CONFIG_HOME", "CODEX_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")

    def lists_the_server() -> bool:
        listed = subprocess.run(
            [program, "mcp", "list"],
            env={**os.environ, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return "container-kit" in listed.stdout + listed.stderr

    assert not lists_the_server()
    assert main(["install", name]) == 0
    assert lists_the_server()
    assert main(["uninstall", name]) == 0
    assert not lists_the_server()
