"""Whole sessions under the simulation of macOS and Windows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.engine.deployments import get
from support.engine.small_web import import_web_image
from support.engine.tls import forwarded
from support.mcp.servers import environment
from support.simulation import Platform, command

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

PLATFORMS: tuple[Platform, ...] = ("darwin", "win32")


@contextlib.asynccontextmanager
async def session(platform: Platform, folder: Path, **variables: str) -> AsyncIterator[Client]:
    program, *arguments = command(platform, "serve")
    variables = environment(folder, CONTAINER_KIT_TOOLSETS="all", **variables)
    parameters = StdioServerParameters(command=program, args=arguments, cwd=folder, env=variables)
    async with Client(stdio_client(parameters)) as client:
        yield client


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


@pytest.mark.integration
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_session_analyzes_writes_and_reviews_a_repository(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/package.json").write_text('{"name": "shop", "scripts": {"start": "node server.js"}}')
    (tmp_path / "shop/server.js").write_text('require("http").createServer(() => {}).listen(3000)\n')
    async with session(platform, tmp_path, DOCKER_HOST="tcp://127.0.0.1:1") as client:
        assert {tool.name for tool in (await client.list_tools()).tools} >= {"analyze", "build", "deploy", "scan"}
        analysis = await call(client, "analyze", path="shop")
        assert "node" in str(analysis)
        await call(client, "write-dockerfile", path="shop")
        assert "CMD" in (tmp_path / "shop/Dockerfile").read_text()
        await call(client, "review-dockerfile", path="shop")


@pytest.mark.engine
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_session_deploys_two_versions_with_no_other_loopback_address(
    platform: Platform, tmp_path: Path, docker_api: APIClient, unique: Callable[[], str]
) -> None:
    name = unique()
    images = [import_web_image(docker_api, f"{name}:{version}", version) for version in ("v1", "v2")]
    with forwarded(docker_api) as tcp:
        host = tcp if platform == "win32" else docker_api.base_url.replace("http+docker://localhost", "")
        variables = {"DOCKER_HOST": host} if host else {}
        async with session(platform, tmp_path, **variables) as client:
            for image, version in zip(images, ("v1", "v2"), strict=True):
                made = await call(client, "deploy", image=image.reference, name=name)
                url = str(made["deployment"]["url"])
                assert get(int(url.rpartition(":")[2])) == version
            await call(client, "verify", name=name)
            await call(client, "rollback-deployment", name=name)
            assert get(int(url.rpartition(":")[2])) == "v1"
            await call(client, "deployment-logs", name=name)
            await call(client, "remove-deployment", name=name)
