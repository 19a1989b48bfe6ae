"""The conformance suite of the protocol, over streamable HTTP, in both revisions."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp.client import Client

from support.mcp.servers import environment, listening
from support.node import node, node_packages

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

OF_ANY_SERVER = [
    ("2026-07-28", "tools-list"),
    ("2026-07-28", "resources-list"),
    ("2026-07-28", "prompts-list"),
    ("2026-07-28", "sep-2164-resource-not-found"),
    ("2026-07-28", "caching"),
    ("2026-07-28", "dns-rebinding-protection"),
    ("2026-07-28", "http-header-validation"),
    ("2026-07-28", "server-sse-multiple-streams"),
    ("2026-07-28", "completion-complete"),
    ("2026-07-28", "tools-call-error"),
    ("2025-11-25", "server-initialize"),
    ("2025-11-25", "server-session-lifecycle"),
    ("2025-11-25", "ping"),
    ("2025-11-25", "tools-list"),
    ("2025-11-25", "resources-list"),
    ("2025-11-25", "prompts-list"),
    ("2025-11-25", "dns-rebinding-protection"),
    ("2025-11-25", "server-sse-multiple-streams"),
    ("2025-11-25", "completion-complete"),
    ("2025-11-25", "tools-call-error"),
]
WITH_THE_SUITES_TOOLS = [
    "server-stateless",
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
]
"""All task scenarios except `tasks-status-notifications`, which has no checks yet; `test_tasks.py` has."""


PLAIN = {"CONTAINER_KIT_RATE_LIMIT_PER_MINUTE": "6000", "CONTAINER_KIT_NO_TOKEN": "true"}
"""The suite sends no token."""


def judged(url: str, *options: str, folder: Path) -> None:
    """Run a scenario. It fails unless there were checks and all of them passed."""
    program = node_packages("conformance") / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    ended = subprocess.run(
        [str(node()), str(program), "server", "--url", url, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    said = re.search(r"Passed: (\d+)/(\d+), 0 failed", ended.stdout)
    assert said is not None, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert int(said[1]) == int(said[2]) > 0, ended.stdout[-6000:]
    assert ended.returncode == 0, ended.stderr[-2000:]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening("http", tmp_path_factory.mktemp("product"), **PLAIN) as (url, _):
        yield url


@contextlib.contextmanager
def with_the_suites_tools(folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "support.mcp.conformance_server", str(folder)],
        env={**environment(folder), "PYTHONPATH": str(Path(__file__).parent.parent)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"serving (http://\S+)", line)
        assert found, line + process.stderr.read()
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stderr.close()


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with with_the_suites_tools(tmp_path_factory.mktemp("fixture")) as url:
        anyio.run(_call_once, url)
        yield url


async def _call_once(url: str) -> None:
    """Open the store with a first run, which takes longer than the suite waits."""
    async with Client(url) as client:
        await client.call_tool("slow_compute", {"seconds": 0})


@pytest.mark.parametrize(("revision", "scenario"), OF_ANY_SERVER)
def test_the_server_conforms(product: str, revision: str, scenario: str, tmp_path: Path) -> None:
    judged(product, "--spec-version", revision, "--scenario", scenario, folder=tmp_path)


@pytest.mark.parametrize("scenario", WITH_THE_SUITES_TOOLS)
def test_the_server_with_the_tools_of_the_suite_conforms(fixture: str, scenario: str, tmp_path: Path) -> None:
    judged(fixture, "--scenario", scenario, folder=tmp_path)
