"""Verifying a deployment: what is seen of one that serves, and of one that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from docker import APIClient

from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.verify import Verify
from container_kit.stages.docker.engine import DockerEngine
from support.engine.deployments import App
from support.engine.web_apps import web_image
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def image(docker_api: APIClient, unique: Callable[[], str]) -> Image:
    return web_image(docker_api, unique(), "v1")


@pytest.fixture
def app(engine: DockerEngine, docker_api: APIClient, ctx: Contexts, unique: Callable[[], str]) -> App:
    return App(unique(), engine, docker_api, ctx)


async def test_what_serves_passes_and_what_was_not_looked_at_is_said(app: App, image: Image) -> None:
    made = await app.deploy(image)
    verified = await Verify(app.engine).execute(app.ctx(), made)
    assert verified.healthy
    outcomes = {check.name: check.outcome for check in verified.checks}
    assert outcomes.pop("image's HEALTHCHECK") == "not_checked"
    assert set(outcomes.values()) == {"ok"}


async def test_a_stopped_container_is_a_fault_with_its_checks(app: App, image: Image) -> None:
    made = await app.deploy(image)
    app.api.stop(made.container_id, timeout=2)
    with pytest.raises(StageFailure) as failure:
        await Verify(app.engine).execute(app.ctx(), made)
    fault = failure.value.fault
    assert fault.code == "verify.unhealthy"
    assert any(one.text.startswith("container: exited") for one in fault.evidence)
    assert any("starting v1" in one.text for one in fault.evidence if one.kind == "log")


async def test_a_container_that_is_gone_is_a_fault(app: App, image: Image) -> None:
    made = await app.deploy(image)
    app.api.remove_container(made.container_id, force=True)
    with pytest.raises(StageFailure) as failure:
        await Verify(app.engine).execute(app.ctx(), made)
    assert "it does not exist" in failure.value.fault.message
