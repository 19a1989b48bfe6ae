"""Services beside an application: reached by it alone, kept over versions, their data and password over removal."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.analysis import Analysis, Finding, Module, Role, Service, Variable
from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.deployments import ApplicationRef, RemovalOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.spec import resolve_spec
from container_kit.stages.deploy.local.stage import Deploy
from container_kit.stages.deploy.manage import RemoveDeployment
from container_kit.stages.deploy.targets import LOCAL
from container_kit.stages.docker.engine import DockerEngine
from support.engine.deployments import App, get
from support.engine.private_engine import PrivateEngine
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

# The first of these tests builds an image of the service where none is there.
pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(400)]

Web = Callable[..., Image]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("CONTAINER_KIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def environment(app: App, container: str) -> dict[str, str]:
    listed = app.api.inspect_container(container)["Config"]["Env"]
    return dict(one.split("=", 1) for one in listed)


def run(app: App, container: str, *command: str) -> str:
    made = app.api.exec_create(container, list(command))["Id"]
    said = app.api.exec_start(made).decode()
    assert app.api.exec_inspect(made)["ExitCode"] == 0, said
    return said.strip()


async def remove(app: App, *, volumes: bool) -> tuple[str, ...]:
    stage = RemoveDeployment(app.engine)
    removal = RemovalOptions(volumes=volumes)
    return (await stage.execute(app.ctx(), LOCAL, ApplicationRef(name=app.name), removal)).removed


async def test_a_redis_serves_every_version_and_its_data_and_password_outlive_removal(
    app: App, web: Web, home: Path
) -> None:
    made = await app.deploy(web("v1"), services=("redis",), health_timeout=60.0)
    service = f"{app.name}-redis"
    address = environment(app, made.container_id)["REDIS_URL"]
    assert get(made.host_port, "/dial/redis/6379") == "v1"
    assert run(app, service, "redis-cli", "--no-auth-warning", "-u", address, "set", "kept", "yes") == "OK"

    again = await app.deploy(web("v2"), services=("redis",), health_timeout=60.0)
    assert get(made.host_port, "/dial/redis/6379") == "v2"
    assert environment(app, again.container_id)["REDIS_URL"] == address
    await app.stage.rollback(app.ctx(), again)
    assert get(made.host_port, "/dial/redis/6379") == "v1"

    file = home / "services" / f"{service}.password"
    password = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(password) >= 32
    assert password in address
    told = " ".join([*app.ctx.messages, *app.ctx.lines, made.model_dump_json()])
    assert password not in told

    assert f"container {service}" in await remove(app, volumes=False)
    await app.deploy(web("v1"), services=("redis",), health_timeout=60.0)
    assert run(app, service, "redis-cli", "--no-auth-warning", "-u", address, "get", "kept") == "yes"
    assert f"volume {service}" in await remove(app, volumes=True)
    assert not file.exists()
    assert app.api.networks(names=[f"container-kit-app-{app.name}"]) == []


async def test_a_service_is_hardened_and_reached_from_nowhere_else(app: App, web: Web) -> None:
    await app.deploy(web("v1"), services=("redis",), health_timeout=60.0)
    details: dict[str, Any] = app.api.inspect_container(f"{app.name}-redis")
    host = details["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert details["Config"]["User"] == "redis"
    assert not any((details["NetworkSettings"]["Ports"] or {}).values())
    assert list(details["NetworkSettings"]["Networks"]) == [f"container-kit-app-{app.name}"]
    assert app.api.inspect_network(f"container-kit-app-{app.name}")["Internal"]
    await remove(app, volumes=True)


async def test_a_postgres_has_a_database_for_the_application_and_keeps_it(app: App, web: Web, home: Path) -> None:
    made = await app.deploy(web("v1"), services=("postgres",), health_timeout=60.0)
    service = f"{app.name}-postgres"
    address = environment(app, made.container_id)["DATABASE_URL"]
    assert get(made.host_port, "/dial/postgres/5432") == "v1"
    run(app, service, "psql", address, "-c", "create table kept (x int); insert into kept values (7)")
    await remove(app, volumes=False)
    await app.deploy(web("v1"), services=("postgres",), health_timeout=60.0)
    assert run(app, service, "psql", address, "-Atc", "select x from kept") == "7"
    await remove(app, volumes=False)
    (home / "services" / f"{service}.password").unlink()
    with pytest.raises(StageFailure) as failure:
        await app.deploy(web("v1"), services=("postgres",))
    assert failure.value.fault.code == "deploy.service_password_not_found"
    await remove(app, volumes=True)


async def test_a_first_version_that_fails_leaves_no_service_behind(app: App, web: Web) -> None:
    with pytest.raises(StageFailure):
        await app.deploy(web("exits", ["8000", "exits"]), services=("redis",))
    assert app.api.containers(all=True, filters={"name": f"{app.name}-"}) == []
    assert app.api.networks(names=[f"container-kit-app-{app.name}"]) == []


async def test_a_service_whose_name_is_taken_is_a_fault(app: App, web: Web) -> None:
    app.api.create_container("python:3.11-slim", ["true"], name=f"{app.name}-redis")
    with pytest.raises(StageFailure) as failure:
        await app.deploy(web("v1"), services=("redis",))
    assert failure.value.fault.code == "deploy.service_failed"
    assert [one["Names"] for one in app.api.containers(all=True, filters={"name": f"{app.name}-"})] == [
        [f"/{app.name}-redis"]
    ]


async def test_a_service_without_an_image_is_a_fault_that_names_one(
    private_engine: Callable[..., PrivateEngine], ctx: Contexts
) -> None:
    private = private_engine()  # it reaches no registry and has no base image to build from
    private.import_tiny("shop:1")
    made = private.api.inspect_image("shop:1")
    options = DeployOptions(name="shop", container_port=80, services=("redis",))
    with pytest.raises(StageFailure) as failure:
        await execute(Deploy(DockerEngine(private.host)), ctx(), Image(id=made["Id"], reference="shop:1"), options)
    assert failure.value.fault.code == "deploy.service_image_not_found"
    assert "redis:7" in failure.value.fault.hint
    assert private.api.containers(all=True) == []
    assert private.api.networks(names=["container-kit-app-shop"]) == []


async def test_what_the_analysis_found_is_brought_up_in_its_variable_unless_that_is_given(app: App, web: Web) -> None:
    module = Module(
        path=".",
        name="web",
        role=Finding[Role](value="web"),
        language=Finding[str](),
        services=(
            Service(kind="redis", variable="CACHE_URL", confidence=0.9),
            Service(kind="postgres", confidence=0.9),
            Service(kind="kafka", confidence=0.9),
        ),
        variables=(Variable(name="CACHE_URL", required=True),),
    )
    analysis = Analysis(root="/", modules=(module,))

    async def services(**options: Any) -> list[tuple[str, str]]:
        chosen = DeployOptions(name=app.name, **options)
        spec = await resolve_spec(app.ctx(), web("v1"), chosen, None, analysis, LOCAL)
        return [(kind.name, variable) for kind, variable in spec.services]

    assert await services() == []
    assert await services(services=True) == [("postgres", "DATABASE_URL"), ("redis", "CACHE_URL")]
    assert await services(services=("redis",)) == [("redis", "CACHE_URL")]
    assert await services(services=True, env={"CACHE_URL": "redis://mine"}) == [("postgres", "DATABASE_URL")]
