"""Engines whose addresses are not those of this machine: in another network, behind ssh, TLS or a Docker context."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.deployments import (
    ApplicationQuery,
    ApplicationRef,
    LogQuery,
    RemovalOptions,
    VersionSelector,
)
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.find_deployment import FindDeployment
from container_kit.stages.deploy.local.verify import Verify
from container_kit.stages.deploy.manage import ListDeployments, ReadLogs, RemoveDeployment, RollbackDeployment
from container_kit.stages.deploy.targets import LOCAL
from container_kit.stages.docker.engine import DockerEngine
from support.engine.deployments import App
from support.engine.kinds import EngineOfKind, Kind, Part, engine_of_kind
from support.engine.private_engine import PrivateEngine, can_have_private_engines
from support.engine.small_web import copy_haproxy, import_web_image
from support.engine.ssh import ssh_server
from support.engine.tls import forwarded, make_certificates
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute
from support.skip_policy import cannot_run

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def other_engine() -> Iterator[PrivateEngine]:
    """An engine in a network namespace that this process is not in, with the image of the proxy."""
    if reason := can_have_private_engines():
        cannot_run(reason)
    engine = PrivateEngine()
    try:
        engine.open()
        engine.start()
        copy_haproxy(engine.api)
        yield engine
    finally:
        engine.remove()


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Set variables that name an engine, and no others; Docker's configuration is empty."""
    for name in [name for name in os.environ if name.startswith("DOCKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))

    def set_variables(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_variables


@contextlib.contextmanager
def reached(way: str, engine: PrivateEngine, folder: Path, variables: Callable[..., None]) -> Iterator[None]:
    """Make the engine reachable in one way."""
    if way == "socket":
        variables(DOCKER_HOST=engine.host)
        yield
    elif way == "ssh":
        with ssh_server(folder, engine.host) as (port, path):
            variables(DOCKER_HOST=f"ssh://root@127.0.0.1:{port}", PATH=path)
            yield
    else:
        certificates = folder / "certs"
        certificates.mkdir()
        make_certificates(certificates)
        with forwarded(engine.host, certificates) as host:
            if way == "tls":
                variables(DOCKER_HOST=host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(certificates))
            else:
                make_context(folder / "docker", "far", host, certificates)
                variables(DOCKER_CONTEXT="far")
            yield


def make_context(config: Path, name: str, host: str, certificates: Path) -> None:
    """Write a Docker context as `docker context create --docker host=…,ca=…,cert=…,key=…` does."""
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta, tls = config / "contexts/meta" / identity, config / "contexts/tls" / identity / "docker"
    for folder in (meta, tls):
        folder.mkdir(parents=True)
    endpoint = {"docker": {"Host": host, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoint}))
    for file in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(certificates / file, tls / file)


async def live_through(engine: DockerEngine, other: PrivateEngine | EngineOfKind, app: App, folder: Path) -> set[str]:
    """Build, deploy, replace, verify, roll back and remove an application; return the builders that were used."""
    name = app.name
    base = import_web_image(other.api, f"{name}-base:1", "base").reference
    ports, builders = set(), set()
    for version in ("v1", "v2"):
        (folder / version).mkdir()
        (folder / version / "index.html").write_text(version)
        (folder / version / "Dockerfile").write_text(f"FROM {base}\nCOPY index.html /www/\n")
        source = Source(path=str(folder / version))
        image = await execute(BuildImage(engine), app.ctx(), source, BuildOptions(tag=f"{name}:{version}"))
        deployment = await app.deploy(image)
        assert other.run("busybox", "wget", "-qO-", deployment.url) == version
        assert deployment.gap_seconds == 0
        ports.add(deployment.host_port)
        builders.add(image.builder)
    assert len(ports) == 1
    listed = await FindDeployment(engine).execute(app.ctx(), ApplicationRef(name=name))
    verification = await Verify(engine).execute(app.ctx(), listed)
    assert {check.name: check.outcome for check in verification.checks}["answer"] == "ok"
    application = ApplicationRef(name=name)
    [entry] = (await ListDeployments(engine).execute(app.ctx(), LOCAL, ApplicationQuery(name=name))).applications
    assert entry.state == "serving"
    await RollbackDeployment(engine).execute(app.ctx(), LOCAL, application, VersionSelector())
    assert other.run("busybox", "wget", "-qO-", deployment.url) == "v1"
    log = await ReadLogs(engine).execute(app.ctx(), LOCAL, application, LogQuery())
    assert "response:200" in " ".join(log.lines)
    await RemoveDeployment(engine).execute(app.ctx(), LOCAL, application, RemovalOptions())
    assert app.containers() == []
    return builders


@pytest.mark.parametrize("way", ["socket", "ssh", "tls", "context"])
async def test_an_application_is_built_deployed_replaced_rolled_back_and_removed(
    way: str, other_engine: PrivateEngine, ctx: Contexts, tmp_path: Path, variables: Callable[..., None]
) -> None:
    with reached(way, other_engine, tmp_path, variables), contextlib.closing(DockerEngine()) as engine:
        app = App(f"ck-{way}", engine, other_engine.api, ctx)
        assert await live_through(engine, other_engine, app, tmp_path) == {"buildkit-session"}


@pytest.mark.parametrize(
    ("kind", "builder"),
    [
        ("podman", "classic"),
        pytest.param("rootless-podman", "classic", marks=pytest.mark.slow),
        ("rootless-docker", "buildkit-session"),
    ],
)
async def test_podman_and_rootless_engines_do_the_same(
    kind: Kind, builder: str, ctx: Contexts, tmp_path: Path, variables: Callable[..., None]
) -> None:
    with engine_of_kind(kind) as other:
        copy_haproxy(other.api)
        variables(DOCKER_HOST=other.host)
        with contextlib.closing(DockerEngine()) as engine:
            app = App(f"ck-{kind}", engine, other.api, ctx)
            assert await live_through(engine, other, app, tmp_path) == {builder}
            crashing = import_web_image(other.api, "ck-crashing:1", "v1")
            with pytest.raises(StageFailure) as failure:
                await app.deploy(crashing, start_command="/bin/busybox false")
            assert (failure.value.fault.code, failure.value.fault.evidence[0].text) == ("deploy.exited", "1")
            assert app.containers() == []


@pytest.mark.parametrize(
    ("kind", "without", "code"),
    [("podman", "init", "engine.init_not_found"), ("rootless-podman", "tun", "engine.network_failed")],
)
async def test_a_part_that_the_engine_does_not_have_is_named(
    kind: Kind, without: Part, code: str, ctx: Contexts, variables: Callable[..., None]
) -> None:
    with engine_of_kind(kind, without) as other:
        copy_haproxy(other.api)
        variables(DOCKER_HOST=other.host)
        image = import_web_image(other.api, "ck-incomplete:1", "v1")
        with contextlib.closing(DockerEngine()) as engine, pytest.raises(StageFailure) as failure:
            await App("ck-incomplete", engine, other.api, ctx).deploy(image)
        assert failure.value.fault.code == code
        assert "http+docker" not in failure.value.fault.message


async def test_a_version_that_fails_leaves_the_old_one_or_nothing(
    other_engine: PrivateEngine, ctx: Contexts, variables: Callable[..., None]
) -> None:
    variables(DOCKER_HOST=other_engine.host)
    image = import_web_image(other_engine.api, "ck-failing:1", "v1")
    with contextlib.closing(DockerEngine()) as engine:
        app = App("ck-failing", engine, other_engine.api, ctx)
        broken: dict[str, Any] = {"container_port": 9, "health_timeout": 2.0}
        with pytest.raises(StageFailure):
            await app.deploy(image, **broken)
        assert app.containers() == []
        first = await app.deploy(image)
        with pytest.raises(StageFailure):
            await app.deploy(image, **broken)
        assert other_engine.run("busybox", "wget", "-qO-", first.url) == "v1"
        assert len(app.containers()) == 2
        moved = await app.deploy(image, port=first.host_port + 1)
        assert other_engine.run("busybox", "wget", "-qO-", moved.url) == "v1"
        await app.stage.rollback(app.ctx(), moved)
        assert other_engine.run("busybox", "wget", "-qO-", first.url) == "v1"


async def test_a_port_that_the_engine_has_given_away_is_a_fault_with_a_free_one(
    other_engine: PrivateEngine, ctx: Contexts, variables: Callable[..., None]
) -> None:
    variables(DOCKER_HOST=other_engine.host)
    image = import_web_image(other_engine.api, "ck-taken:1", "v1")
    with contextlib.closing(DockerEngine()) as engine:
        first = await App("ck-taken-a", engine, other_engine.api, ctx).deploy(image)
        other = App("ck-taken-b", engine, other_engine.api, ctx)
        with pytest.raises(StageFailure) as failure:
            await other.deploy(image, port=first.host_port)
        assert failure.value.fault.code == "deploy.port_in_use"
        assert other.containers() == []


@pytest.mark.parametrize(
    ("host", "command"),
    [
        ("ssh://me@far.example:2222", "ssh -N -L 8080:127.0.0.1:8080 -p 2222 me@far.example"),
        ("ssh://far", "ssh -N -L 8080:127.0.0.1:8080 far"),
        ("tcp://far.example:2376", "ssh -N -L 8080:127.0.0.1:8080 far.example"),
        ("tcp://127.0.0.1:2375", None),
        ("unix:///var/run/docker.sock", None),
    ],
)
async def test_a_remote_engine_has_a_command_that_makes_a_url_work_here(host: str, command: str | None) -> None:
    assert DockerEngine(host).forward_command(8080) == command
