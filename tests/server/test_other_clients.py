"""Third-party clients over stdio: the strict listing of the Inspector, and the TypeScript client in both modes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from container_kit.tools.registry import ALL, ToolSelection, select_tools
from support.mcp.servers import ERAS, SERVE, environment
from support.node import node, node_packages

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

OFFERED = [tool.name for tool in select_tools(ALL, ToolSelection())]
INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(node()), *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_strict_listing_of_the_inspector_has_no_findings(era: str, tmp_path: Path) -> None:
    options = ["--protocol-era", era, "--connect-timeout", "120000", "--method", "tools/list", "--strict"]
    listed = run(tmp_path, str(node_packages("clients") / INSPECTOR), "--cli", sys.executable, *SERVE, *options)
    assert listed.returncode == 0, listed.stderr
    assert "Warning" not in listed.stderr
    assert "Error" not in listed.stderr
    assert [tool["name"] for tool in json.loads(listed.stdout)["tools"]] == OFFERED


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_typescript_client_lists_calls_reads_and_gets_faults(mode: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print()\n")
    script = Path(__file__).parents[1] / "node" / "clients" / "call.mjs"
    called = run(tmp_path, str(script), str(node_packages("clients")), mode, sys.executable, *SERVE)
    assert called.returncode == 0, called.stderr
    seen: dict[str, Any] = json.loads(called.stdout)
    assert seen["version"] == ERAS[mode]
    assert seen["tools"] == OFFERED
    assert seen["good"]["structuredContent"]["analysis"]["modules"][0]["language"]["value"] == "python"
    figures = [figure for figure, _ in seen["progress"]]
    assert figures == sorted(set(figures))
    assert seen["bad"]["isError"] is True
    assert seen["bad"]["structuredContent"]["code"] == "path.not_found"
    run_id = seen["good"]["structuredContent"]["run"]
    assert json.loads(seen["contents"][0]["text"])["id"] == run_id
    assert "containerize" in [prompt["name"] for prompt in seen["prompts"]]
