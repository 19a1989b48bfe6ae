"""An engine that dies in the middle of a deployment: a fault, and everything in order once it runs again."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from docker import APIClient

from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.stage import Deploy
from container_kit.stages.docker.engine import DockerEngine
from support.engine.deployments import get
from support.engine.private_engine import PrivateEngine
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(300)]

OPTIONS = DeployOptions(name="shop", memory_mb=64, health_timeout=90)
WAITING = "waiting until shop is healthy"


def image(api: APIClient, tag: str, *command: str) -> Image:
    container = api.create_container("tiny:1", ["true"])["Id"]
    config = {"Cmd": list(command), "ExposedPorts": {"8000/tcp": {}}, "Env": ["PATH=/bin"]}
    made = api.commit(container, "shop", tag, conf=config)
    api.remove_container(container)
    return Image(id=made["Id"], reference=f"shop:{tag}", ports=(8000,))


async def test_an_engine_killed_in_the_middle_is_a_fault_and_the_next_deployment_cleans_up(
    private_engine: Callable[..., PrivateEngine], ctx: Contexts
) -> None:
    private = private_engine()
    private.import_tiny("tiny:1")
    api, stage, faults = private.api, Deploy(DockerEngine(private.host)), list[str]()
    serves = ("httpd", "-f", "-p", "8000", "-h", "/etc")
    good, silent, better = image(api, "1", *serves), image(api, "2", "sleep", "600"), image(api, "3", *serves)

    async def deploy(of: Image) -> None:
        try:
            await execute(stage, ctx(run_id="2"), of, OPTIONS)
        except StageFailure as failure:
            faults.append(failure.fault.code)

    with private.network():
        first = await execute(stage, ctx(run_id="1"), good, OPTIONS)
        async with anyio.create_task_group() as group:
            group.start_soon(deploy, silent)
            with anyio.fail_after(90):
                while ctx.messages.count(WAITING) < 2:
                    await anyio.sleep(0.02)
            await anyio.to_thread.run_sync(private.kill)
            with anyio.fail_after(90):
                while not faults:
                    await anyio.sleep(0.02)
        assert faults[0] in ("engine.connection_lost", "engine.unreachable")
        await anyio.to_thread.run_sync(lambda: private.start(within=90))
        third = await execute(stage, ctx(run_id="3"), better, OPTIONS)
        assert third.host_port == first.host_port
        assert not get(third.host_port).endswith("Error")
    containers = {one["Id"]: one["State"] for one in api.containers(all=True)}
    assert containers == {first.container_id: "exited", third.container_id: "running"}
