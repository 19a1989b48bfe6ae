"""Deployments to a protected target through a real server and engine."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from docker import APIClient
from mcp.client import Client
from mcp_types import ElicitResult

from support.mcp.servers import listening
from support.mcp.tasks import TaskClient, ask, call, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(180)]

DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /site
COPY index.html ./
USER 10001
EXPOSE 8000
CMD ["python", "-m", "http.server", "8000"]
"""
TARGETS = '{"prod": {"protected": true}}'


@pytest.fixture
def repository(tmp_path: Path, unique: Callable[[], str]) -> Path:
    folder = tmp_path / unique()
    folder.mkdir()
    (folder / "index.html").write_text("hello")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    return folder


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the deployment's own address
        return bytes(answer.read())


async def test_a_client_that_disconnects_finds_its_deployment_later(repository: Path) -> None:
    with listening("http", repository.parent) as (url, _):
        async with Client(url, extensions=[TaskClient()]) as client:
            task = await call(client, "full-deployment", {"path": repository.name})
            assert isinstance(task, dict), task
        async with Client(url, extensions=[TaskClient()]) as client:
            ended = await until(client, task["taskId"])
    result = ended["result"]["structuredContent"]
    assert not ended["result"].get("isError"), result
    assert await anyio.to_thread.run_sync(get, result["deployment"]["url"]) == b"hello"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_rejected_deployment_leaves_nothing_and_continues_after_approval(
    mode: str, repository: Path, docker_api: APIClient
) -> None:
    says: dict[str, Any] = {"action": "decline"}

    async def person(_context: Any, _params: Any) -> ElicitResult:
        return ElicitResult(**says)

    arguments = {"path": repository.name, "deploy_to": "prod"}
    with listening("http", repository.parent, CONTAINER_KIT_TARGETS=TARGETS) as (url, _):
        async with Client(url, mode=mode, elicitation_callback=person) as client:
            refused = await client.call_tool("full-deployment", arguments)
            assert refused.structured_content is not None
            assert refused.structured_content["code"] == "approval.rejected", refused.structured_content
            assert not docker_api.containers(all=True, filters={"name": repository.name})
            says |= {"action": "accept", "content": {"confirm": True}}
            resume = refused.structured_content["resume"]
            assert resume["stage"] == "deploy"
            deployed = await client.call_tool("retry-run", {"run": resume["run_id"]})
    assert deployed.structured_content is not None
    assert not deployed.is_error, deployed.structured_content
    assert await anyio.to_thread.run_sync(get, deployed.structured_content["deployment"]["url"]) == b"hello"


async def test_a_task_deploys_to_a_protected_target_only_after_approval(
    repository: Path, docker_api: APIClient
) -> None:
    async def nobody(_context: Any, _params: Any) -> ElicitResult:
        raise AssertionError("a task's questions come with the task")

    arguments = {"path": repository.name, "deploy_to": "prod"}
    with listening("http", repository.parent, CONTAINER_KIT_TARGETS=TARGETS) as (url, _):
        async with Client(url, elicitation_callback=nobody, extensions=[TaskClient()]) as client:
            task = await call(client, "full-deployment", arguments)
            assert isinstance(task, dict), task
            asking = await until(client, task["taskId"], ["input_required"])
            [(key, request)] = asking["inputRequests"].items()
            assert "protected target prod" in request["params"]["message"]
            assert not docker_api.containers(all=True, filters={"name": repository.name})
            await ask(client, "tasks/update", task["taskId"], {key: {"action": "accept", "content": {"confirm": True}}})
            ended = await until(client, task["taskId"])
    result = ended["result"]["structuredContent"]
    assert await anyio.to_thread.run_sync(get, result["deployment"]["url"]) == b"hello"
