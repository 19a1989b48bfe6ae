"""PushImage where the engine's own network or the engine itself is what fails; each test has an engine of its own."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import PushOptions
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.push import PushImage
from support.engine.private_engine import PrivateEngine
from support.engine.registry import Registry
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute
from support.scan.planted_packages import random_layer

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(120)]

BRIDGE = "172.17.0.1"  # the first address of docker's default bridge


async def fault_of(engine: DockerEngine, ctx: Contexts, image: Image, registry: Registry) -> Fault:
    with pytest.raises(StageFailure) as failed:
        await execute(PushImage(engine), ctx(), image, PushOptions(repository=f"{registry.host}/team/shop", tag="1"))
    return failed.value.fault


def image_in(engine: PrivateEngine, megabytes: float) -> Image:
    engine.api.import_image_from_data(random_layer(megabytes), repository="shop", tag="1")
    return Image(id=engine.api.inspect_image("shop:1")["Id"], reference="shop:1")


async def test_plain_http_elsewhere_than_on_the_engines_machine_is_insecure(
    private_engine: Callable[..., PrivateEngine],
    ctx: Contexts,
    registry: Callable[..., Registry],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", BRIDGE)  # private engines have a proxy that leads nowhere
    private = private_engine()
    image = image_in(private, 0.01)
    with private.network():
        there = registry(address=BRIDGE)
        fault = await fault_of(DockerEngine(private.host), ctx, image, there)
    assert (fault.code, fault.retryable) == ("push.registry_insecure", False), fault.message
    assert f'"insecure-registries": ["{there.host}"]' in fault.hint


async def test_a_registry_that_only_the_engine_reaches_is_confirmed_by_the_engine(
    private_engine: Callable[..., PrivateEngine], ctx: Contexts, registry: Callable[..., Registry]
) -> None:
    private = private_engine()
    image = image_in(private, 0.01)
    with private.network():
        there = registry()
    options = PushOptions(repository=f"{there.host}/team/shop", tag="1")
    pushed = await execute(PushImage(DockerEngine(private.host)), ctx(), image, options)
    assert pushed.confirmed_by == "engine"
    assert pushed.digest in private.api.inspect_image(image.id)["RepoDigests"][0]


async def test_an_engine_that_dies_in_the_middle_is_retryable_and_nothing_is_reported_as_pushed(
    private_engine: Callable[..., PrivateEngine], ctx: Contexts, registry: Callable[..., Registry]
) -> None:
    private = private_engine()
    image = image_in(private, 100)
    with private.network():
        there = registry()
        faults: list[Fault] = []

        async def push() -> None:
            faults.append(await fault_of(DockerEngine(private.host), ctx, image, there))

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(push)
                while not there.uploading():
                    await anyio.sleep(0.005)
                private.kill()
    assert faults[0].code in {"engine.connection_lost", "engine.unreachable"}
    assert faults[0].retryable
    assert there.blobs() == 0
