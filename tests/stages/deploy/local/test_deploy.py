"""Deploying against the real engine: what serves, how it is hardened, what is kept and what is undone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from docker import APIClient

from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.container import Networks
from container_kit.stages.deploy.local.deployer import LocalDeployer
from container_kit.stages.deploy.local.spec import resolve_spec
from container_kit.stages.deploy.targets import LOCAL
from support.engine.deployments import App, get
from support.engine.web_apps import names_of_environment
from support.pipelines.stages import execute, preview

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

Web = Callable[..., Image]


async def test_a_first_deployment_answers_at_its_url(app: App, web: Web) -> None:
    made = await app.deploy(web("v1"))
    assert get(made.host_port) == "v1"
    assert made.url == f"http://127.0.0.1:{made.host_port}"
    assert made.previous_container_id is None
    assert app.running() == [made.container_name]


async def test_a_second_deployment_takes_the_same_port_and_keeps_the_first_one_stopped(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    second = await app.deploy(web("v2"))
    assert second.host_port == first.host_port
    assert get(second.host_port) == "v2"
    assert second.previous_container_id == first.container_id
    assert app.running() == [second.container_name]
    assert second.gap_seconds > 0


async def test_the_container_is_hardened(app: App, web: Web, docker_api: APIClient) -> None:
    made = await app.deploy(web("v1"), memory_mb=128, cpus=0.5)
    details = docker_api.inspect_container(made.container_id)
    host: dict[str, Any] = details["HostConfig"]
    assert details["Config"]["User"] == "65534:65534"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == host["MemorySwap"] == 128 << 20
    assert host["NanoCpus"] == 500_000_000
    assert host["PidsLimit"] == 256
    assert host["Init"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert not host["Privileged"]


async def test_only_this_machine_reaches_the_port(app: App, web: Web, docker_api: APIClient) -> None:
    made = await app.deploy(web("v1"))
    ports = docker_api.inspect_container(made.container_id)["NetworkSettings"]["Ports"]["8000/tcp"]
    assert ports == [{"HostIp": "127.0.0.1", "HostPort": str(made.host_port)}]


async def test_an_image_with_a_user_as_well_keeps_it(app: App, web: Web, docker_api: APIClient) -> None:
    made = await app.deploy(web("own-user", User="1000:1000"))
    assert docker_api.inspect_container(made.container_id)["Config"]["User"] == "1000:1000"


async def test_a_restart_of_the_container_keeps_its_port(app: App, web: Web, docker_api: APIClient) -> None:
    await app.deploy(web("v1"))
    made = await app.deploy(web("v2"))
    docker_api.restart(made.container_id, timeout=5)
    with anyio.fail_after(10):
        while get(made.host_port) != "v2":
            await anyio.sleep(0.05)


async def test_rollback_restores_the_container_that_was_replaced(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    second = await app.deploy(web("v2"))
    await app.stage.rollback(app.ctx(), second)
    assert get(first.host_port) == "v1"
    assert [one["Id"] for one in app.containers()] == [first.container_id]
    await app.stage.rollback(app.ctx(), second)
    assert get(first.host_port) == "v1"
    assert app.running() == [first.container_name]


async def test_rollback_of_a_first_deployment_leaves_nothing(app: App, web: Web) -> None:
    made = await app.deploy(web("v1"))
    await app.stage.rollback(app.ctx(), made)
    await app.stage.rollback(app.ctx(), made)
    assert app.containers() == []


async def test_rollback_leaves_a_later_deployment_only(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    await app.deploy(web("v2"))
    await app.stage.rollback(app.ctx(), first)
    assert get(first.host_port) == "v2"


async def test_what_was_replaced_long_ago_is_pruned(app: App, web: Web) -> None:
    made = [await app.deploy(web(version), keep_versions=1) for version in ("v1", "v2", "v1")]
    assert {one["Id"] for one in app.containers()} == {made[1].container_id, made[2].container_id}


async def test_a_preview_says_what_would_change_and_changes_nothing(app: App, web: Web) -> None:
    options = DeployOptions(name=app.name)
    says = (await preview(app.stage, app.ctx(dry_run=True), web("v1"), options)).changes
    assert says[0].startswith(f"run {web('v1').reference} as {app.name} on 127.0.0.1:")
    assert app.containers() == []
    made = await app.deploy(web("v1"))
    says = (await preview(app.stage, app.ctx(dry_run=True), web("v2"), options)).changes
    assert says[0].startswith(f"replace {web('v1').reference} with {web('v2').reference} on 127.0.0.1:{made.host_port}")
    assert app.running() == [made.container_name]


async def test_a_deployment_moves_to_another_port_when_asked(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    other = first.host_port + 1
    moved = await app.deploy(web("v2"), port=other)
    assert get(other) == "v2"
    assert get(first.host_port) == "ConnectionRefusedError"
    await app.stage.rollback(app.ctx(), moved)
    assert get(first.host_port) == "v1"


async def test_without_a_known_port_the_open_one_is_published(app: App, web: Web) -> None:
    made = await app.deploy(web("unexposed", ["8123"], ExposedPorts={}))
    assert made.container_port == 8123
    assert get(made.host_port) == "unexposed"


async def test_a_slow_start_is_waited_for_while_the_old_version_serves(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    answers: list[str] = []

    async def ask() -> None:
        while True:
            answers.append(await anyio.to_thread.run_sync(get, first.host_port))
            await anyio.sleep(0.02)

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        made = await app.deploy(web("slow-start", ["8000", "slow-start"]))
        group.cancel_scope.cancel()
    assert made.seconds_to_healthy >= 1.9
    assert made.gap_seconds < made.seconds_to_healthy
    assert answers.count("v1") > 40


async def test_a_tcp_service_is_probed_by_connecting(app: App, web: Web) -> None:
    made = await app.deploy(web("not-http", ["8000", "not-http"]), probe="tcp")
    assert made.probe == "tcp"
    with closing(socket.create_connection(("127.0.0.1", made.host_port), 5)) as connection:
        assert connection.recv(4) == b"-ERR"


async def test_a_volume_outlives_its_container(app: App, web: Web, docker_api: APIClient) -> None:
    options = {"volumes": {"state": "/var/lib"}, "user": "0:0"}
    made = await app.deploy(web("writes", ["8000", "writes"]), **options)
    assert get(made.host_port) == "writes"
    await app.stage.rollback(app.ctx(), made)
    assert docker_api.inspect_volume(f"{app.name}.state")


async def test_variables_come_from_the_file_and_the_options_and_are_never_reported(
    app: App, web: Web, tmp_path: Path
) -> None:
    (tmp_path / "prod.env").write_text('# secrets\nexport PLANTED="s3cret-of-the-file"\nOTHER=1\n')
    chosen = DeployOptions(name=app.name, env={"EXTRA": "s3cret-of-the-call"}, env_file="prod.env", health_timeout=15)
    made = await execute(app.stage, app.ctx(), web("v1"), chosen, Source(path=str(tmp_path)))
    assert {"PLANTED", "OTHER", "EXTRA"} <= names_of_environment(get(made.host_port, "/names").encode())
    told = " ".join([*app.ctx.messages, *app.ctx.lines, made.model_dump_json()])
    assert "s3cret" not in told
    with pytest.raises(StageFailure) as failure:
        await execute(app.stage, app.ctx(), web("exits", ["8000", "exits"]), chosen, Source(path=str(tmp_path)))
    assert "giving up" in failure.value.fault.model_dump_json()
    assert "s3cret" not in failure.value.fault.model_dump_json()


async def test_a_cancelled_deployment_leaves_the_old_version_and_nothing_else(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    with anyio.move_on_after(2) as scope:
        await app.deploy(web("silent", ["8000", "silent"]))
    assert scope.cancelled_caught
    assert get(first.host_port) == "v1"
    assert app.running() == [first.container_name]
    assert len(app.containers()) == 1


async def test_two_deployments_of_one_application_immediately_both_succeed_one_after_the_other(
    app: App, web: Web
) -> None:
    images = [web("v1"), web("v2")]
    async with anyio.create_task_group() as group:
        for image in images:
            group.start_soon(app.deploy, image)
    assert len(app.running()) == 1
    assert len(app.containers()) == 2


async def test_networks_that_are_missing_are_made(app: App, web: Web, unique: Callable[[], str]) -> None:
    networks = Networks(f"{unique()}-a", f"{unique()}-b")
    target = LocalDeployer(app.engine, networks)
    ctx = app.ctx()
    spec = await resolve_spec(ctx, web("v1"), DeployOptions(name=app.name, memory_mb=128), None, None, LOCAL)
    try:
        made = await target.apply(ctx, spec)
        assert get(made.host_port) == "v1"
        await target.undo(ctx, made)
    finally:
        for network in (networks.public, networks.staging):
            app.api.remove_network(network)
    assert app.containers() == []
