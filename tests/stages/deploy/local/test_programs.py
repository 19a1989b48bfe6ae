"""Release commands, volumes of an image, jobs and workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from docker import APIClient

from container_kit.stages.artifacts.analysis import Analysis, Finding, KnownBy, Module, Role
from container_kit.stages.artifacts.deployment import Deployment, DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.backend import LocalBackend
from container_kit.stages.deploy.local.verify import Verify
from container_kit.stages.docker.engine import DockerEngine
from support.engine.cleanup import sweep
from support.engine.deployments import App, get
from support.engine.web_apps import web_image
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine]
_RELEASE = ("python", "-c", "open('/data/released', 'a').write('x'); print('schema ready')")


@pytest.fixture
def app(engine: DockerEngine, docker_api: APIClient, ctx: Contexts, unique: Callable[[], str]) -> Iterator[App]:
    app = App(unique(), engine, docker_api, ctx)
    yield app
    sweep(docker_api, [app.name])


@pytest.fixture
def image(docker_api: APIClient, unique: Callable[[], str]) -> Image:
    return web_image(docker_api, unique(), "v1")


def program(docker_api: APIClient, name: str, source: str) -> Image:
    """Make an image that runs a program of Python and exposes no port."""
    return web_image(docker_api, name, "v1", Cmd=["python", "-c", source], ExposedPorts={})


def analysis(role: Role, provenance: KnownBy = "guess") -> Analysis:
    """Return the analysis of a module without a port."""
    module = Module(
        path=".", name="program", role=Finding(value=role, provenance=provenance), language=Finding(value="python")
    )
    return Analysis(root="/", modules=(module,))


async def deploy(app: App, image: Image, found: Analysis, **options: float) -> Deployment:
    """Deploy an image with what the analysis found."""
    return await execute(app.stage, app.ctx(), image, DeployOptions(name=app.name, memory_mb=128, **options), found)


async def test_the_release_command_runs_once_per_version_on_the_volumes_of_the_image(app: App, image: Image) -> None:
    image = image.model_copy(update={"volumes": ("/data",), "release": _RELEASE, "user": "0:0"})
    first = await app.deploy(image, user="0:0")
    assert first.volumes == {"data": "/data"}
    assert first.release_command

    def released() -> bytes:
        script = "print(open('/data/released').read())"
        exec_id = app.api.exec_create(app.running()[0], ["python", "-c", script])["Id"]
        return bytes(app.api.exec_start(exec_id).strip())

    unchanged = await app.deploy(image, user="0:0")
    assert (unchanged.unchanged, released()) == (True, b"x")
    changed = await app.deploy(image, user="0:0", env={"CHANGED": "1"})
    assert (changed.unchanged, released()) == (False, b"xx")


async def test_a_failed_release_command_keeps_the_previous_version(app: App, image: Image) -> None:
    made = await app.deploy(image)
    broken = image.model_copy(update={"release": ("python", "-c", "raise SystemExit('no such table')")})
    with pytest.raises(StageFailure) as failure:
        await app.deploy(broken)
    fault = failure.value.fault
    assert fault.code == "deploy.release_failed"
    assert any("no such table" in item.text for item in fault.evidence)
    assert fault.next_actions[0].arguments == {"release": False}
    assert get(made.host_port) == "v1"
    await app.deploy(broken, release=False)


async def test_a_job_runs_to_its_end_and_leaves_its_output(app: App, docker_api: APIClient) -> None:
    image = program(docker_api, f"{app.name}-image", "print('Result:', 42)")
    made = await deploy(app, image, analysis("cli"))
    assert (made.kind, made.output, made.url) == ("job", "Result: 42", "")
    assert app.containers() == []
    assert (await Verify(app.engine).execute(app.ctx(), made)).healthy
    assert "Result: 42" in LocalBackend.summarize(made, None)[0]


async def test_a_job_that_fails_is_a_fault_with_its_log(app: App, docker_api: APIClient) -> None:
    image = program(docker_api, f"{app.name}-image", "raise RuntimeError('no input')")
    with pytest.raises(StageFailure) as failure:
        await deploy(app, image, analysis("cli"))
    assert failure.value.fault.code.startswith("deploy.")
    assert any("no input" in item.text for item in failure.value.fault.evidence)
    assert app.containers() == []


async def test_a_program_that_asks_for_arguments_is_a_command(app: App, docker_api: APIClient) -> None:
    source = "import argparse; p = argparse.ArgumentParser(); p.add_argument('file'); p.parse_args()"
    made = await deploy(app, program(docker_api, f"{app.name}-image", source), analysis("cli"))
    assert made.kind == "command"
    assert "docker run --rm" in LocalBackend.summarize(made, None)[0]


async def test_a_console_script_is_not_started(app: App, image: Image) -> None:
    made = await deploy(app, image.model_copy(update={"ports": ()}), analysis("cli", "declared"))
    assert made.kind == "command"
    assert app.containers() == []


async def test_a_worker_is_healthy_while_it_stays_up_and_is_replaced(app: App, docker_api: APIClient) -> None:
    image = program(docker_api, f"{app.name}-image", "import time; print('polling', flush=True); time.sleep(600)")
    first = await deploy(app, image, analysis("worker"))
    second = await deploy(app, image, analysis("worker"))
    assert (second.kind, second.previous_container_id) == ("worker", first.container_id)
    assert app.running() == [second.container_name]
    assert (await Verify(app.engine).execute(app.ctx(), second)).healthy


async def test_a_program_of_unknown_kind_that_does_not_end_becomes_a_worker(app: App, docker_api: APIClient) -> None:
    image = program(docker_api, f"{app.name}-image", "import time; time.sleep(600)")
    made = await deploy(app, image, analysis("cli"), health_timeout=1.0)
    assert made.kind == "worker"
