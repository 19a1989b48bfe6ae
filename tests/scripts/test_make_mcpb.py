"""The MCPB bundle and server.json, checked by the official validator and the schema of the registry."""

from __future__ import annotations

import importlib.resources
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import uv
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from container_kit.tools.registry import ALL, ToolSelection, select_tools
from support.node import node, node_packages
from support.packaging import folder_size, uv_cache

ROOT = Path(__file__).parents[2]
SCHEMAS = {"https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json": "v2025_12_11"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "container-kit.mcpb"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "make_mcpb.py"), str(path)], check=True, timeout=60)
    return path


def mcpb(*arguments: str | Path) -> str:
    program = node_packages("clients") / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"
    done = subprocess.run(
        [str(node()), str(program), *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def substitute(text: str, values: dict[str, str]) -> str:
    for variable, value in values.items():
        text = text.replace(variable, value)
    return text


def project() -> dict[str, Any]:
    metadata: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return metadata


@pytest.mark.anyio
@pytest.mark.integration
@pytest.mark.timeout(240)
async def test_the_official_validator_accepts_the_bundle_and_its_command_starts_the_server_in_an_empty_home(
    bundle: Path, tmp_path: Path
) -> None:
    unpacked = tmp_path / "unpacked"
    mcpb("unpack", bundle, unpacked)
    assert "passes" in mcpb("validate", unpacked / "manifest.json")
    manifest = json.loads((unpacked / "manifest.json").read_text())
    assert (manifest["manifest_version"], manifest["server"]["type"]) == ("0.4", "uv")
    assert manifest["version"] == project()["version"]
    assert set(project()["scripts"]) & set(manifest["server"]["mcp_config"]["args"])
    assert not list(unpacked.rglob("__pycache__"))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    command = manifest["server"]["mcp_config"]
    values = {"${__dirname}": str(unpacked), "${user_config.workspace}": str(workspace)}
    started = StdioServerParameters(
        command=uv.find_uv_bin(),
        args=[substitute(argument, values) for argument in command["args"]],
        cwd=home,
        env={
            **{name: os.environ[name] for name in ("PATH", "SSL_CERT_FILE") if name in os.environ},
            **{name: substitute(value, values) for name, value in command["env"].items()},
            "HOME": str(home),
            "UV_CACHE_DIR": uv_cache(),  # so that only the first test on a machine downloads
            "UV_PYTHON": sys.executable,  # uv could download one
        },
    )
    async with Client(stdio_client(started)) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [
            o.name for o in select_tools(ALL, ToolSelection())
        ]
        assert "<script>" in (await client.read_resource("ui://container-kit/run.html")).contents[0].text  # type: ignore[union-attr]

    installed = {path.name.split("-")[0] for path in (unpacked / ".venv").rglob("*.dist-info")}
    assert {"mcp", "dbos"} <= installed
    assert installed & {"pytest", "mypy", "ruff", "hypothesis", "playwright"} == set()
    assert folder_size(unpacked) <= 130_000_000


def test_the_same_sources_give_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.mcpb"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "make_mcpb.py"), str(again)], check=True, timeout=60)
    assert again.read_bytes() == bundle.read_bytes()


def test_server_json_matches_the_schema_of_the_registry_and_the_package() -> None:
    server = json.loads((ROOT / "server.json").read_text())
    released = importlib.resources.files("skillsaw") / "schemas" / "mcp_registry" / SCHEMAS[server["$schema"]]
    jsonschema.validate(server, json.loads((released / "server.schema.json").read_text()))
    assert len(server["description"]) <= 100
    [package] = server["packages"]
    assert package["identifier"] == project()["name"]
    assert server["version"] == package["version"] == project()["version"]
    assert f"<!-- mcp-name: {server['name']} -->" in (ROOT / "README.md").read_text()
