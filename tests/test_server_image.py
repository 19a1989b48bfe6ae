"""The server image, built from the root Dockerfile and run on the real engine."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from docker import APIClient

from container_kit import __version__
from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.docker.engine import DockerEngine
from support.engine.cleanup import sweep
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from image_healthcheck import health_url

ROOT = Path(__file__).parent.parent
LIMIT = 300_000_000
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


@pytest.mark.parametrize(
    ("command", "variables", "url"),
    [
        ("container-kit serve", {}, None),
        ("container-kit worker", {}, None),
        ("container-kit serve --transport stdio --port 9", {}, None),
        ("container-kit serve --transport http", {}, "http://127.0.0.1:8000/healthz"),
        ("container-kit serve --transport=sse --port=81", {}, "http://127.0.0.1:81/healthz"),
        ("/sbin/docker-init -- container-kit serve --transport http", {}, "http://127.0.0.1:8000/healthz"),
        ("container-kit serve --transport http", {"CONTAINER_KIT_PORT": "82"}, "http://127.0.0.1:82/healthz"),
        ("container-kit serve --port 83 --transport http", {"CONTAINER_KIT_PORT": "82"}, "http://127.0.0.1:83/healthz"),
        ("container-kit serve --transport http", {"CONTAINER_KIT_HOST": "0.0.0.0"}, "http://127.0.0.1:8000/healthz"),  # noqa: S104 - an address to replace
        ("container-kit serve --transport http --host ::", {}, "http://[::1]:8000/healthz"),
        ("container-kit serve --transport http --host 10.1.2.3", {}, "http://10.1.2.3:8000/healthz"),
    ],
)
def test_the_health_check_queries_the_address_that_the_command_listens_on(
    command: str, variables: dict[str, str], url: str | None
) -> None:
    assert health_url(command.split(), variables) == url


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image under a private name."""
    name = f"ck-test-server-{tmp_path_factory.getbasetemp().parent.name}-{time.monotonic_ns():x}".lower()
    contexts = Contexts(name, Workspace([ROOT]))
    with contextlib.closing(DockerEngine()) as engine:
        stage = BuildImage(engine)
        options = BuildOptions(tag=f"{name}:1", dockerfile="Dockerfile")
        try:
            yield anyio.run(execute, stage, contexts(), Source(path=str(ROOT)), options)
        finally:
            with contextlib.closing(APIClient(base_url=engine.host, version="auto", timeout=60)) as api:
                sweep(api, [name])


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_image_is_small_and_runs_without_root(image: Image, docker_api: APIClient) -> None:
    details = docker_api.inspect_image(image.id)
    assert details["Size"] <= LIMIT
    assert details["Config"]["User"] == "10001"
    assert details["Config"]["Labels"]["org.opencontainers.image.licenses"] == "MIT"


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_image_answers_initialize_over_stdio(image: Image, unique: Callable[[], str]) -> None:
    served = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network=none", "--name", unique(), image.reference],
        input=json.dumps(INITIALIZE) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    result = json.loads(served.stdout)["result"]
    assert result["serverInfo"] == result["serverInfo"] | {"name": "container-kit", "version": __version__}


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_image_answers_health_queries_over_http_and_becomes_healthy(
    image: Image, unique: Callable[[], str], docker_api: APIClient
) -> None:
    check = docker_api.inspect_image(image.id)["Config"]["Healthcheck"]["Test"]
    container = docker_api.create_container(
        image.reference,
        ["serve", "--transport", "http"],
        name=unique(),
        ports=[8000],
        environment={
            "CONTAINER_KIT_HOST": "0.0.0.0",  # noqa: S104 - published on loopback only
            "CONTAINER_KIT_AUTH_TOKEN": "a-token-of-this-test-0123456789abcdef",
            "CONTAINER_KIT_ALLOWED_HOSTS": "127.0.0.1:*",
        },
        host_config=docker_api.create_host_config(port_bindings={8000: ("127.0.0.1",)}),
        healthcheck={"test": check, "interval": 1_000_000_000, "timeout": 5_000_000_000, "retries": 20},
    )
    docker_api.start(container)
    state = wait_for_health(docker_api, container["Id"])
    assert state["Health"]["Status"] == "healthy", docker_api.logs(container)
    [binding] = docker_api.inspect_container(container)["NetworkSettings"]["Ports"]["8000/tcp"]
    with urllib.request.urlopen(f"http://127.0.0.1:{binding['HostPort']}/healthz", timeout=10) as response:
        assert (response.status, response.read()) == (200, b"ok\n")


def wait_for_health(api: APIClient, container: str) -> dict[str, Any]:
    """Return the state of the container once its health is known or it has stopped."""
    deadline = time.monotonic() + 60
    for event in api.events(
        filters={"container": container}, since=int(time.time()) - 60, until=int(time.time()) + 60, decode=True
    ):
        if str(event["Action"]).startswith(("health_status", "die")) or time.monotonic() > deadline:
            break
    state: dict[str, Any] = api.inspect_container(container)["State"]
    return state
