"""What the doctor says of this machine and of broken surroundings, and within which time."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from container_kit.stages.artifacts.host_checks import DoctorOptions, HostCheck, HostReport
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.doctor import CheckHost
from support.engine.private_engine import PrivateEngine
from support.pipelines.contexts import Contexts

pytestmark = pytest.mark.anyio

NOBODY = 65534


async def examine(
    ctx: Contexts, docker: DockerEngine, *, within: float = 3, home: Path | None = None
) -> dict[str, HostCheck]:
    options = DoctorOptions(home=str(home) if home else None)
    examination = await CheckHost(docker, within).execute(ctx(), options)
    assert HostReport.model_validate_json(examination.model_dump_json()) == examination
    for check in examination.checks:
        assert (check.outcome == "ok") == (check.get == ""), f"{check.name}: what is not ok says how to get it"
        assert "\n" not in check.detail + check.get
    return {check.name: check for check in examination.checks}


@pytest.fixture
def no_engine(tmp_path: Path) -> DockerEngine:
    return DockerEngine(f"unix://{tmp_path}/none.sock")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Installs a program, as a shell script, on a machine that has no others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(name: str, script: str) -> Path:
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    return install


@contextlib.contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Nobody may enter the folder; root, whom that does not stop, becomes a user without rights."""
    is_root = os.geteuid() == 0
    folder.chmod(0)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@contextlib.contextmanager
def server(path: Path, answer: bytes) -> Iterator[DockerEngine]:
    """Something that listens at a socket and gives one answer to all; an empty one means that it stays silent."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    kept: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                kept.append(connection)
                if answer:
                    connection.recv(4096)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield DockerEngine(f"unix://{path}")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in kept:
            connection.close()


@pytest.mark.engine
async def test_a_running_engine_is_described(ctx: Contexts, engine: DockerEngine) -> None:
    found = await examine(ctx, engine)
    version = await engine.call(lambda api: api.version())
    assert found["docker engine"].outcome == "ok"
    assert found["docker engine"].needed
    assert f"{version['Version']}, API {version['ApiVersion']}" in found["docker engine"].detail
    assert engine.host in found["docker engine"].detail
    assert found["buildkit"].outcome == "ok"
    assert " GB free at " in found["engine disk"].detail
    assert found["limits"].detail.startswith("cgroup v")
    assert len(ctx.messages) > 10
    assert ctx.fractions[-1] == 1


@pytest.mark.engine
async def test_a_base_image_that_was_made_here_is_not_passed_off_as_the_public_one(
    ctx: Contexts, private_engine: Callable[..., PrivateEngine]
) -> None:
    private = private_engine()
    private.import_tiny("python:3.11-slim")  # without labels, as if it had been pulled
    labels = {
        "io.container-kit.base-image.local": "true",
        "io.container-kit.base-image.source": "Debian bookworm packages",
    }
    private.import_tiny("node:20-slim", labels=labels)
    found = await examine(ctx, DockerEngine(private.host))
    assert found["base image python:3.11-slim"].detail == "in the engine"
    said = "node:20-slim was built here from Debian bookworm packages; it is not the public image"
    assert found["base image node:20-slim"].detail == said
    assert found["base image debian:bookworm-slim"].outcome == "missing"
    assert found["registry"].outcome == "missing", "a private engine reaches none"
    assert "registry-mirrors" in found["registry"].get


@pytest.mark.engine
async def test_an_engine_that_is_nearly_full_is_a_problem(private_engine: Callable[..., PrivateEngine]) -> None:
    private = private_engine(disk_mb=64)
    # Its small disk is seen from its own namespaces alone, hence another process.
    program = "import anyio; from container_kit.pipelines.catalog import pipeline; "
    program += "from container_kit.stages.artifacts.host_checks import HostReport; "
    program += "print(anyio.run(pipeline('doctor').run).artifacts[HostReport].model_dump_json())"
    examination = HostReport.model_validate_json(private.run(sys.executable, "-c", program))
    (disk,) = (check for check in examination.checks if check.name == "engine disk")
    assert disk.outcome == "problem"
    assert disk.detail.startswith("0.1 GB free")
    assert "docker builder prune" in disk.get


async def test_without_an_engine_it_says_how_to_get_one_and_nothing_of_what_is_in_it(
    ctx: Contexts, no_engine: DockerEngine
) -> None:
    found = await examine(ctx, no_engine)
    assert found["docker engine"].outcome == "missing"
    assert no_engine.host in found["docker engine"].detail
    assert "apt-get install docker.io" in found["docker engine"].get
    assert not any(name.startswith(("base image", "registry", "buildkit")) for name in found)


async def test_a_socket_that_this_user_may_not_use_is_a_problem_of_permission(ctx: Contexts, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    with server(folder / "docker.sock", b""), closed(folder):
        found = await examine(ctx, DockerEngine(f"unix://{folder}/docker.sock"))
    assert found["docker engine"].outcome == "problem"
    assert "no permission" in found["docker engine"].detail
    assert "group" in found["docker engine"].get


@pytest.mark.parametrize(
    ("host", "said", "repair"),
    [
        ("tcp://127.0.0.1:1", "Connection refused", "DOCKER_HOST"),
        ("tcp://no-such-host.invalid:2375", "no-such-host.invalid", "DOCKER_HOST"),
        ("gopher://engine", "not the address of an engine", "DOCKER_HOST"),
    ],
)
async def test_a_wrong_address_is_named(ctx: Contexts, host: str, said: str, repair: str) -> None:
    found = await examine(ctx, DockerEngine(host))
    assert found["docker engine"].outcome != "ok"
    assert said in found["docker engine"].detail
    assert repair in found["docker engine"].get


async def test_something_else_that_listens_there_is_not_taken_for_an_engine(ctx: Contexts, tmp_path: Path) -> None:
    page = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here!"
    with server(tmp_path / "web.sock", page) as docker:
        found = await examine(ctx, docker)
    assert found["docker engine"].outcome == "problem"
    assert "404: not here!" in found["docker engine"].detail


async def test_what_speaks_no_http_is_not_taken_for_an_engine(ctx: Contexts, tmp_path: Path) -> None:
    with server(tmp_path / "ssh.sock", b"SSH-2.0-OpenSSH_9.2\r\n") as docker:
        found = await examine(ctx, docker)
    assert found["docker engine"].outcome != "ok"
    assert "SSH-2.0" in found["docker engine"].detail


async def test_an_engine_that_stays_silent_costs_no_more_than_the_limit(ctx: Contexts, tmp_path: Path) -> None:
    with server(tmp_path / "silent.sock", b"") as docker:
        with anyio.fail_after(30):  # the silence itself would last for ever
            found = await examine(ctx, docker, within=0.3)
    assert found["docker engine"].outcome == "problem"
    assert found["docker engine"].needed
    assert "no answer within 0.3 s" in found["docker engine"].detail
    assert found["python"].outcome == "ok", "the other looks are not disturbed"


async def test_programs_are_found_with_their_versions(
    ctx: Contexts, no_engine: DockerEngine, install: Callable[[str, str], Path]
) -> None:
    path = install("hadolint", "echo Haskell Dockerfile Linter 2.15.1")
    install("kubectl", "echo Client Version: v1.31.2")
    install("docker", '[ "$1" = buildx ] && echo github.com/docker/buildx v0.19.3+ds1 && exit; exit 1')
    found = await examine(ctx, no_engine)
    assert found["hadolint"].detail == f"2.15.1 at {path}"
    assert found["kubectl"].detail.startswith("1.31.2 ")
    assert found["buildx"].detail.startswith("0.19.3+ds1 ")
    assert found["trivy"].outcome == found["grype"].outcome == "missing"
    assert "https://" in found["trivy"].get


async def test_a_plugin_that_docker_does_not_know_is_missing(
    ctx: Contexts, no_engine: DockerEngine, install: Callable[[str, str], Path]
) -> None:
    install("docker", "echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1")
    found = await examine(ctx, no_engine)
    assert found["buildx"].outcome == "missing"


async def test_a_program_that_fails_is_a_problem_and_says_why(
    ctx: Contexts, no_engine: DockerEngine, install: Callable[[str, str], Path]
) -> None:
    install("grype", "echo 'error while loading shared libraries' >&2; exit 127")
    install("kubectl", "exit 0").write_text("no program at all")
    found = await examine(ctx, no_engine)
    assert found["grype"].outcome == found["kubectl"].outcome == "problem"
    assert "error while loading shared libraries" in found["grype"].detail


async def test_a_program_that_hangs_is_ended(
    ctx: Contexts, no_engine: DockerEngine, install: Callable[[str, str], Path], tmp_path: Path
) -> None:
    install("hadolint", f"echo $$ >{tmp_path}/pid; while :; do :; done")
    with anyio.fail_after(30):  # the program itself would run for ever
        found = await examine(ctx, no_engine, within=0.5)
    assert found["hadolint"].detail == "no answer within 0.5 s"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.parametrize(
    "stamp",
    ["mod\tgithub.com/aquasecurity/trivy\tv0.69.5\t", "-X github.com/aquasecurity/trivy/pkg/version/app.ver=0.69.5"],
)
async def test_a_malicious_trivy_is_recognized_without_being_run(
    ctx: Contexts, no_engine: DockerEngine, install: Callable[[str, str], Path], tmp_path: Path, stamp: str
) -> None:
    install("trivy", f"touch {tmp_path}/was-run; echo Version: 0.70.0; exit\n{stamp}")
    found = await examine(ctx, no_engine)
    assert found["trivy"].outcome == "problem"
    assert "0.69.5" in found["trivy"].detail
    assert "CVE-2026-33634" in found["trivy"].detail
    assert not (tmp_path / "was-run").exists()


async def test_another_trivy_is_asked(
    ctx: Contexts, no_engine: DockerEngine, install: Callable[[str, str], Path]
) -> None:
    install("trivy", "echo Version: 0.76.0; echo Vulnerability DB:")
    assert (await examine(ctx, no_engine))["trivy"].detail.startswith("0.76.0 ")


async def test_the_workspace_and_the_state_folder_are_looked_at(
    ctx: Contexts, no_engine: DockerEngine, tmp_path: Path
) -> None:
    home = tmp_path / "state" / "deep"
    found = await examine(ctx, no_engine, home=home)
    assert found[f"workspace {tmp_path}"].detail == "readable"
    assert found[f"state folder {home}"].detail == "created at the first run"
    assert not home.exists(), "examining changes nothing"
    home.mkdir(parents=True)
    assert (await examine(ctx, no_engine, home=home))[f"state folder {home}"].detail == "writable"


async def test_folders_that_this_user_may_not_use_are_problems(
    ctx: Contexts, no_engine: DockerEngine, tmp_path: Path
) -> None:
    home = tmp_path / "state"
    with closed(tmp_path):
        found = await examine(ctx, no_engine, home=home)
    assert found[f"workspace {tmp_path}"].detail == "this user may not read it"
    assert found[f"state folder {home}"].outcome == "problem"
    assert "CONTAINER_KIT_HOME" in found[f"state folder {home}"].get


async def test_exports_of_advisories_are_named_or_said_how_to_get(
    ctx: Contexts, no_engine: DockerEngine, tmp_path: Path
) -> None:
    missing = (await examine(ctx, no_engine, home=tmp_path))["advisories"]
    assert missing.outcome == "missing"
    assert f"{tmp_path}/osv/PyPI/all.zip" in missing.get
    (tmp_path / "osv" / "npm").mkdir(parents=True)
    assert (await examine(ctx, no_engine, home=tmp_path))["advisories"].outcome == "missing", "npm is empty"
    for ecosystem in ("npm", "Debian:12"):
        (tmp_path / "osv" / ecosystem).mkdir(exist_ok=True)
        (tmp_path / "osv" / ecosystem / "all.zip").touch()
    assert (await examine(ctx, no_engine, home=tmp_path))["advisories"].detail == f"Debian:12, npm in {tmp_path}/osv"


async def test_a_state_folder_that_is_a_file_is_a_problem(
    ctx: Contexts, no_engine: DockerEngine, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("")
    found = await examine(ctx, no_engine, home=tmp_path / "state")
    assert "is not a directory" in found[f"state folder {tmp_path}/state"].detail


async def test_it_is_ready_only_when_all_that_is_needed_is_ok(ctx: Contexts, no_engine: DockerEngine) -> None:
    assert not (await CheckHost(no_engine).execute(ctx(), DoctorOptions())).ready
    there = HostCheck(name="docker engine", outcome="ok", needed=True)
    assert HostReport(checks=(there, HostCheck(name="trivy", outcome="missing"))).ready
