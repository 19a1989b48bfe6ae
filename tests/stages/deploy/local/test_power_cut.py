"""A deployer that is killed at any point leaves exactly one version serving, and the next deployment cleans up."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable

import anyio
import pytest

from container_kit.stages.artifacts.deployment import Deployment, DeployOptions
from container_kit.stages.artifacts.image import Image
from support.engine.deployments import App, get
from support.engine.power_cut import deploy_and_die

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

Web = Callable[..., Image]

POINTS = [
    ("create_container", "before", "v1"),
    ("create_container", "after", "v1"),
    ("start", "after", "v1"),
    ("disconnect_container_from_network", "before", "v1"),
    ("disconnect_container_from_network", "after", "v1 or v2"),
    ("connect_container_to_network", "before", "v1 or v2"),
    ("connect_container_to_network", "after", "v1 or v2"),
    ("update_container", "before", "v2"),
    ("rename", "before", "v2"),
    ("rename", "after", "v2"),
    ("stop", "before", "v2"),
    ("stop", "after", "v2"),
]


async def _cut(app: App, image: Image, call: str, when: str) -> int | None:
    """Deploy in a process of its own that dies; its exit code."""
    options = DeployOptions(name=app.name, health_timeout=15).model_dump_json()
    arguments = (call, when, image.model_dump_json(), options, f"{app.name}-cut")
    process = multiprocessing.get_context("spawn").Process(target=deploy_and_die, args=arguments)
    process.start()
    await anyio.to_thread.run_sync(process.join, 40)
    return process.exitcode


async def _serves(first: Deployment) -> str:
    with anyio.fail_after(15):
        while (answer := get(first.host_port)) not in ("v1", "v2"):
            await anyio.sleep(0.05)
    return answer


@pytest.mark.parametrize(("call", "when", "then"), POINTS)
async def test_one_version_serves_after_a_power_cut(app: App, web: Web, call: str, when: str, then: str) -> None:
    first = await app.deploy(web("v1"))
    assert await _cut(app, web("v2"), call, when) == -signal.SIGKILL
    assert await _serves(first) in then.split(" or ")
    third = await app.deploy(web("v3"))
    assert get(first.host_port) == "v3"
    assert app.running() == [third.container_name]
    assert not [one for one in app.containers() if one["Names"][0].endswith("-candidate")]


FIRST = ["create_container", "start", "update_container", "rename"]


@pytest.mark.parametrize("call", FIRST)
async def test_a_first_version_whose_deployer_died_before_it_was_proved_gives_way(
    app: App, web: Web, call: str
) -> None:
    assert await _cut(app, web("v1"), call, "before" if call == "rename" else "after") == -signal.SIGKILL
    second = await app.deploy(web("v2"))
    assert get(second.host_port) == "v2"
    assert [one["Id"] for one in app.containers()] == [second.container_id]


async def test_a_first_version_whose_deployer_died_behind_its_proof_is_replaced_like_any_other(
    app: App, web: Web
) -> None:
    assert await _cut(app, web("v1"), "rename", "after") == -signal.SIGKILL
    [first] = app.containers()
    second = await app.deploy(web("v2"))
    assert second.previous_container_id == first["Id"]
    assert get(second.host_port) == "v2"


async def test_a_deployer_that_is_not_killed_ends_well(app: App, web: Web) -> None:
    first = await app.deploy(web("v1"))
    assert await _cut(app, web("v2"), "no such call", "before") == 0
    assert get(first.host_port) == "v2"
