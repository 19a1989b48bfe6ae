"""One-off commands in an application, and stopping and starting it, on the real engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from docker import APIClient

from container_kit.stages.artifacts.deployments import CommandOptions
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.backend import LocalBackend
from container_kit.stages.deploy.local.container import Networks
from container_kit.stages.deploy.targets import LOCAL
from container_kit.stages.docker import labels
from container_kit.stages.docker.engine import DockerEngine
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(90)]


@pytest.fixture
def app(docker_api: APIClient, tiny_image: str, unique: Callable[[], str]) -> Iterator[str]:
    """The name of an application whose active version runs; it publishes no port."""
    name = unique()
    docker_api.create_network(name, "bridge", internal=True)
    created = docker_api.create_container(
        tiny_image,
        ["sleep", "300"],
        name=f"{name}-0a1b2c3d",
        environment={"TOKEN": "planted-secret-value"},
        labels=labels.of_container({labels.APP: name, labels.RUN: name, labels.IMAGE: tiny_image, labels.PORT: "8000"}),
        host_config=docker_api.create_host_config(network_mode=name, init=True),
    )
    docker_api.start(created)
    yield name
    docker_api.remove_container(created, force=True)
    docker_api.remove_network(name)


@pytest.fixture
def backend(engine: DockerEngine, app: str) -> LocalBackend:
    return LocalBackend(LOCAL, engine, Networks(public=app, staging=f"{app}-staging"))


def command(*words: str, seconds: float = 30.0) -> CommandOptions:
    return CommandOptions(command=words, seconds=seconds)


async def test_a_command_returns_its_output_and_exit_code(backend: LocalBackend, ctx: Contexts, app: str) -> None:
    result = await backend.execute(ctx(), app, command("sh", "-c", "echo out; echo error >&2; exit 3"))
    assert (sorted(result.lines), result.exit_code) == (["error", "out"], 3)


async def test_the_output_shows_no_value_of_a_variable(backend: LocalBackend, ctx: Contexts, app: str) -> None:
    result = await backend.execute(ctx(), app, command("sh", "-c", "echo $TOKEN"))
    assert "planted-secret-value" not in "".join(result.lines)


async def test_words_are_not_read_by_a_shell(backend: LocalBackend, ctx: Contexts, app: str) -> None:
    assert (await backend.execute(ctx(), app, command("echo", "$(id); a b"))).lines == ("$(id); a b",)


async def test_a_missing_program_is_a_fault(backend: LocalBackend, ctx: Contexts, app: str) -> None:
    with pytest.raises(StageFailure) as refused:
        await backend.execute(ctx(), app, command("no-such-program"))
    assert refused.value.fault.code == "deployment.command_not_found"


async def test_a_command_ends_at_its_time_limit_with_a_call_that_allows_more(
    backend: LocalBackend, ctx: Contexts, app: str
) -> None:
    with pytest.raises(StageFailure) as refused:
        await backend.execute(ctx(), app, command("sleep", "60", seconds=1))
    assert refused.value.fault.code == "deployment.command_timeout"
    assert refused.value.fault.next_actions[0].arguments == {"seconds": 2}


async def test_a_stopped_application_starts_again(
    backend: LocalBackend, ctx: Contexts, app: str, docker_api: APIClient
) -> None:
    stopped = await backend.control(ctx(), app, "stop")
    assert (stopped.was, stopped.state, stopped.url) == ("serving", "stopped", None)
    assert docker_api.inspect_container(f"{app}-0a1b2c3d")["State"]["Running"] is False
    with pytest.raises(StageFailure) as refused:
        await backend.execute(ctx(), app, command("true"))
    assert refused.value.fault.code == "deployment.not_running"
    started = await backend.control(ctx(), app, "start")
    assert (started.was, started.state, started.url) == ("stopped", "serving", "http://127.0.0.1:8000")
    assert docker_api.inspect_container(f"{app}-0a1b2c3d")["State"]["Running"] is True


async def test_an_unknown_application_is_a_fault(backend: LocalBackend, ctx: Contexts) -> None:
    for call in (backend.control(ctx(), "nobody", "stop"), backend.execute(ctx(), "nobody", command("true"))):
        with pytest.raises(StageFailure) as refused:
            await call
        assert refused.value.fault.code == "deployment.not_found"
