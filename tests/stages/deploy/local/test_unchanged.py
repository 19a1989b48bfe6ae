"""A deployment that would change nothing restarts nothing; whatever differs makes a new container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.deploy.local.services.catalog import KINDS
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.deploy.local.unchanged import digest
from support.engine.deployments import App, get

Web = Callable[..., Image]


def spec(**changes: Any) -> ContainerSpec:
    options = DeployOptions(name="shop", **changes.pop("options", {}))
    described: dict[str, Any] = {
        "app": "shop", "image": "shop:1", "image_id": "sha256:1", "container_port": 8000, "user": "65534:65534",
        "health_path": "/", "options": options, "env": {"A": "1"}, "redact": Redactor([]),
    }  # fmt: skip
    return ContainerSpec(**described | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "shop:2"},
        {"image_id": "sha256:2"},
        {"container_port": 8001},
        {"user": "1000:1000"},
        {"health_path": "/health"},
        {"env": {"A": "2"}},
        {"env": {"A": "1", "B": ""}},
        {"env": {}},
        {"services": ((next(iter(KINDS.values())), "DATABASE_URL"),)},
        {"kind": "worker"},
        {"volumes": {"data": "/data"}},
        {"writable": "/app"},
        {"release": ("alembic", "upgrade", "head")},
        {"options": {"memory_mb": 1024}},
        {"options": {"cpus": 2.0}},
        {"options": {"read_only": False}},
        {"options": {"start_command": "sleep 1"}},
        {"options": {"probe": "tcp"}},
        {"options": {"zero_downtime": True}},
        {"options": {"user": "1000"}},
        {"options": {"health_path": "/ready"}},
    ],
    ids=str,
)
def test_a_difference_of_the_container_changes_the_digest(changes: dict[str, Any]) -> None:
    assert digest(spec(**changes)) != digest(spec())


@pytest.mark.parametrize(
    "options", [{"health_timeout": 5.0}, {"keep_versions": 1}, {"port": 8080}, {"release": False}], ids=str
)
def test_an_option_of_the_deployment_does_not_change_the_digest(options: dict[str, Any]) -> None:
    assert digest(spec(options=options)) == digest(spec())


def test_every_field_of_a_specification_is_decided_on() -> None:
    # A new field must either change the digest, with a case above, or be listed here.
    left_out = {"app", "redact", "missing_variables", "root", "known_services", "generated", "digest"}
    decided = {"image", "image_id", "kind", "container_port", "user", "health_path", "env", "services", "volumes",
               "writable", "release", "options"}  # fmt: skip
    assert {field.name for field in fields(ContainerSpec)} == left_out | decided
    assert digest(replace(spec(), missing_variables=("X",), generated=("Y",), root=Path("/"))) == digest(spec())


@pytest.mark.parametrize("options", [{}, {"zero_downtime": True}], ids=str)
@pytest.mark.anyio
@pytest.mark.engine
@pytest.mark.timeout(120)
async def test_the_same_deployment_again_restarts_nothing(app: App, web: Web, options: dict[str, Any]) -> None:
    image = web("v1")
    first = await app.deploy(image, env={"A": "1"}, **options)
    started = [c["Id"] + c["Status"].partition(" ")[0] for c in app.containers()]
    again = await app.deploy(image, env={"A": "1"}, keep_versions=5, **options)
    assert (again.unchanged, first.unchanged) == (True, False)
    assert (again.container_id, again.url) == (first.container_id, first.url)
    assert [c["Id"] + c["Status"].partition(" ")[0] for c in app.containers()] == started
    await app.stage.rollback(app.ctx(), again)
    assert get(first.host_port) == "v1"


@pytest.mark.parametrize(
    "options",
    [{"env": {"A": "2"}}, {"memory_mb": 256}, {"volumes": {"data": "/data"}}, {"health_path": "/index.html"}],
    ids=str,
)
@pytest.mark.anyio
@pytest.mark.engine
@pytest.mark.timeout(120)
async def test_another_specification_makes_a_new_container(app: App, web: Web, options: dict[str, Any]) -> None:
    image = web("v1")
    first = await app.deploy(image, env={"A": "1"})
    second = await app.deploy(image, **{"env": {"A": "1"}} | options)
    assert not second.unchanged
    assert second.previous_container_id == first.container_id


@pytest.mark.parametrize("state", ["stopped", "paused", "not answering"])
@pytest.mark.anyio
@pytest.mark.engine
@pytest.mark.timeout(120)
async def test_a_version_that_does_not_serve_is_replaced(state: str, app: App, web: Web, docker_api: APIClient) -> None:
    image = web("v1")
    first = await app.deploy(image)
    if state == "stopped":
        docker_api.stop(first.container_id, timeout=0)
    elif state == "paused":
        docker_api.pause(first.container_id)
    else:
        execution = docker_api.exec_create(first.container_id, ["sh", "-c", "kill -STOP -1"])["Id"]
        docker_api.exec_start(execution)
    second = await app.deploy(image)
    assert not second.unchanged
    assert second.container_id != first.container_id
    assert get(second.host_port) == "v1"


@pytest.mark.anyio
@pytest.mark.engine
@pytest.mark.timeout(120)
async def test_a_run_that_is_executed_again_still_knows_what_it_replaced(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    image = web("v2")
    await app.deploy(image)
    app._runs -= 1  # the process died after the change, and the run goes on
    again = await app.deploy(image)
    assert (again.unchanged, again.previous_container_id) == (False, first.container_id)
