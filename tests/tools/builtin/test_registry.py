"""`tag`, `push` and SBOMs through a client, on the real engine and a real registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from docker import APIClient
from mcp.client import Client

from container_kit import Workspace
from container_kit.pipelines.runs.service import RunService
from support.engine.registry import Registry
from support.mcp.tools import connected
from support.scan.planted_packages import random_layer

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    for name in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "CONTAINER_KIT_REGISTRY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Callable[..., Registry]]:
    """Return a function that starts registries: `registry()`, `registry({"user": "password"})`."""
    started: list[Registry] = []

    def start(users: dict[str, str] | None = None) -> Registry:
        home = tmp_path / f"registry-{len(started)}"
        home.mkdir()
        started.append(Registry(home, users))
        return started[-1].start()

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def image(docker_api: APIClient, unique: Callable[[], str]) -> str:
    name = f"{unique()}:1"
    docker_api.import_image_from_data(random_layer(0.01), repository=name.partition(":")[0], tag="1")
    return name


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    with anyio.fail_after(100):
        return await client.call_tool(tool, arguments)


async def test_an_image_is_tagged_pushed_and_confirmed(
    workspace: Workspace,
    registry: Callable[..., Registry],
    image: str,
    unique: Callable[[], str],
    docker_api: APIClient,
) -> None:
    there, name = registry(), f"{unique()}:2"
    async with connected(RunService(workspace)) as client:
        tagged = await call(client, "tag", image=image, name=name)
        assert tagged.structured_content["tagged_image"]["reference"] == name
        pushed = await call(client, "push", image=name, repository=f"{there.host}/team/shop")
        made = pushed.structured_content["pushed_image"]
        docker_api.pull(made["pinned"])
        again = await call(client, "push", image=name, repository=f"{there.host}/team/shop")
    assert (made["tag"], made["confirmed_by"]) == ("2", "registry")
    assert made["pinned"] in pushed.content[0].text
    assert again.structured_content["pushed_image"]["previous_digest"] == made["digest"]
    docker_api.remove_image(made["reference"])


async def test_a_repository_with_a_tag_is_rejected_with_a_call_that_works(
    workspace: Workspace, registry: Callable[..., Registry], image: str, docker_api: APIClient
) -> None:
    there = registry()
    async with connected(RunService(workspace)) as client:
        refused = await call(client, "push", image=image, repository=f"{there.host}/shop:7")
        assert refused.structured_content["code"] == "image.reference_invalid"
        action = refused.structured_content["next_actions"][0]
        pushed = await call(client, action["tool"], **action["arguments"])
    assert pushed.structured_content["pushed_image"]["reference"] == f"{there.host}/shop:7"
    docker_api.remove_image(f"{there.host}/shop:7")


async def test_a_registry_that_requires_a_login_leads_to_docker_login(
    workspace: Workspace, registry: Callable[..., Registry], image: str
) -> None:
    there = registry({"ann": "planted-secret"})
    async with connected(RunService(workspace)) as client:
        refused = await call(client, "push", image=image, repository=f"{there.host}/shop")
    assert refused.is_error
    assert refused.structured_content["code"] == "push.unauthorized"
    assert f"docker login {there.host}" in refused.content[0].text


async def test_an_sbom_is_a_resource_and_not_part_of_the_result(workspace: Workspace, image: str) -> None:
    async with connected(RunService(workspace)) as client:
        scanned = await call(client, "scan", image=image, sbom=True)
        sbom = scanned.structured_content["sbom"]
        assert "document" not in sbom
        document = (await client.read_resource(sbom["resource"])).contents[0]
    assert document.mime_type == "application/vnd.cyclonedx+json"
    assert json.loads(document.text)["bomFormat"] == "CycloneDX"
    assert sbom["resource"] in scanned.content[0].text


async def test_a_folder_has_an_sbom(workspace: Workspace) -> None:
    (workspace.roots[0] / "requirements.txt").write_text("first==1.0\n")
    async with connected(RunService(workspace)) as client:
        scanned = await call(client, "scan", path=".", sbom=True)
        document = (await client.read_resource(scanned.structured_content["sbom"]["resource"])).contents[0]
    assert "pkg:pypi/first@1.0" in document.text
