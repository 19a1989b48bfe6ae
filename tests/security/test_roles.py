"""Several principals on one server: roles, and owners of deployments."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from support.mcp.oauth_issuer import AUDIENCE, Issuer
from support.mcp.servers import listening

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(120)]

ROLES = {"ann": "developer", "bob": "developer", "vic": "viewer", "ops": "operator"}
TOKENS = {name: f"token-of-{name}-0123456789" for name in ROLES}
VARIABLES = {
    "CONTAINER_KIT_TOKENS": json.dumps({name: {"token": TOKENS[name], "role": role} for name, role in ROLES.items()}),
    "CONTAINER_KIT_TOOLSETS": "all",
    "DOCKER_HOST": "unix:///nowhere/docker.sock",
}


@contextlib.asynccontextmanager
async def client_with(url: str, token: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=90) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def code_of(url: str, token: str, tool: str, **arguments: Any) -> str:
    async with client_with(url, token) as client:
        answer = await client.call_tool(tool, arguments)
    assert answer.structured_content is not None
    return str(answer.structured_content.get("code", "success"))


async def test_only_the_owner_and_an_operator_change_a_deployment(tmp_path: Path) -> None:
    new = {"image": "shop:1", "name": "shop"}
    with listening("http", tmp_path, **VARIABLES) as (url, _):
        assert (await code_of(url, TOKENS["ann"], "deploy", **new)).startswith("engine.")  # nothing else is wrong
        for tool, arguments in (
            ("deploy", new),
            ("deploy", {**new, "name": "Shop"}),
            ("remove-deployment", {"name": "shop"}),
            ("remove-deployment", {"name": "SHOP", "volumes": True}),
            ("rollback-deployment", {"name": "shop"}),
        ):
            code = await code_of(url, TOKENS["bob"], tool, **arguments)
            assert code in ("deployment.owned", "request.invalid", "deploy.name_invalid"), (tool, arguments, code)
            if arguments["name"] == "shop":
                assert code == "deployment.owned", (tool, arguments)
        for name in ("ann", "ops"):
            assert (await code_of(url, TOKENS[name], "remove-deployment", name="shop")).startswith("engine.")
        assert (await code_of(url, TOKENS["bob"], "deploy", image="shop:1", name="other")).startswith("engine.")


async def test_a_developer_changes_no_deployment_that_the_store_does_not_know(tmp_path: Path) -> None:
    with listening("http", tmp_path, **VARIABLES) as (url, _):
        assert await code_of(url, TOKENS["bob"], "remove-deployment", name="older") == "deployment.owned"
        assert (await code_of(url, TOKENS["ops"], "remove-deployment", name="older")).startswith("engine.")


async def test_a_viewer_reads_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("print()\n")
    with listening("http", tmp_path, **VARIABLES) as (url, _):
        async with client_with(url, TOKENS["vic"]) as client:
            tools = (await client.list_tools()).tools
            answer = await client.call_tool("analyze", {"path": "."})
        async with client_with(url, TOKENS["ops"]) as client:
            all_tools = [tool.name for tool in (await client.list_tools()).tools]
        assert not answer.is_error
        assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
        changing = sorted(set(all_tools) - {tool.name for tool in tools})
        assert {"build", "deploy", "retry-run", "write-dockerfile"} <= set(changing)
        codes = {tool: await code_of(url, TOKENS["vic"], tool, path=".") for tool in changing}
    assert codes == dict.fromkeys(changing, "role.insufficient")


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("container-kit:viewer", "role.insufficient"),
        ("container-kit:developer", "deployment.owned"),
        ("", "deployment.owned"),
        ("operator container-kit: container-kit:operators xcontainer-kit:operator", "deployment.owned"),
        ("openid container-kit:operator", "engine."),
    ],
)
async def test_the_scopes_of_a_token_decide_its_role(scope: str, code: str, tmp_path: Path) -> None:
    issuer = Issuer()
    variables = {
        "CONTAINER_KIT_OAUTH_ISSUER": issuer.url,
        "CONTAINER_KIT_PUBLIC_URL": AUDIENCE,
        "CONTAINER_KIT_TOOLSETS": "all",
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
    }
    try:
        with listening("http", tmp_path, **variables) as (url, _):
            token = issuer.token(sub="bob", scope=scope)
            assert (await code_of(url, token, "remove-deployment", name="shop")).startswith(code)
    finally:
        issuer.close()
