"""The modules that a server must not import at start. Imports, unlike durations, do not depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.mcp.servers import environment

pytestmark = pytest.mark.integration

HEAVY = {
    "checkov",
    "cvss",
    "dbos",
    "docker",
    "dockerfile",
    "grpclib",
    "httpx",
    "jsonschema",
    "kubernetes",
    "lightkube",
    "opentelemetry.metrics",
    "opentelemetry.sdk",
    "psycopg",
    "pygments",
    "requests",
    "rich.traceback",
    "sqlalchemy",
    "structlog",
    "univers",
    "yaml",
}
OURS = {
    "container_kit.pipelines.durable.service",
    "container_kit.stages.analyze",
    "container_kit.stages.build",
    "container_kit.stages.deploy.local",
    "container_kit.stages.deploy.registry",
    "container_kit.stages.docker.engine",
    "container_kit.stages.dockerfile",
    "container_kit.stages.deploy.kubernetes",
    "container_kit.stages.push",
    "container_kit.stages.scan",
}
TELL = (
    "import sys, json; from container_kit.server.cli.main import main; main(); "
    "json.dump(sorted(sys.modules), sys.stderr)"
)
GREETING = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def test_starting_and_initializing_import_no_heavy_modules(tmp_path: Path) -> None:
    served = subprocess.run(
        [sys.executable, "-c", TELL, "serve"],
        cwd=tmp_path,
        env=environment(tmp_path),
        input=json.dumps(GREETING) + "\n",
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert json.loads(served.stdout)["result"]["serverInfo"]["name"] == "container-kit"
    loaded = set(json.loads(served.stderr))
    assert {"mcp.server", "container_kit.tools.registry"} <= loaded
    assert loaded & (HEAVY | OURS) == set()
