"""Finding the engine as the docker command line does, and telling quickly and rightly when it cannot be used."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from docker.errors import APIError

from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.endpoint import EndpointError, find_endpoint
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.local_address import DEFAULT_HOST
from support.engine.tls import forwarded, make_certificates
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = pytest.mark.anyio


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and none of the variables that name an engine."""
    for name in list(os.environ):
        if name.startswith("DOCKER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.mark.usefixtures("home")
def test_docker_host_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2375")
    endpoint = find_endpoint()
    assert (endpoint.host, endpoint.tls) == ("tcp://10.0.0.1:2375", None)
    assert find_endpoint("unix:///other.sock").host == "unix:///other.sock"
    assert find_endpoint("/plain/path.sock").host == "unix:///plain/path.sock"


def test_tls_variables_bring_the_files_of_their_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ca", "cert", "key"):
        (home / f"{name}.pem").write_text("")
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(home))
    unverified = find_endpoint().tls
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    verified = find_endpoint().tls
    assert unverified is not None
    assert verified is not None
    assert (unverified.verify, verified.verify) == (False, True)
    assert (verified.ca, verified.cert, verified.key) == (home / "ca.pem", home / "cert.pem", home / "key.pem")


def _make_context(home: Path, name: str, host: str) -> None:
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    meta = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (folder / "meta.json").write_text(json.dumps(meta))


def test_the_current_docker_context_is_honoured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make_context(home, "colima", "unix:///colima/docker.sock")
    _make_context(home, "remote", "ssh://me@far.example")
    (home / ".docker/config.json").write_text('{"currentContext": "colima"}')
    assert find_endpoint().host == "unix:///colima/docker.sock"
    monkeypatch.setenv("DOCKER_CONTEXT", "remote")
    assert find_endpoint().host == "ssh://me@far.example"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert find_endpoint().host.startswith("unix://")


def test_a_context_or_configuration_that_cannot_be_read_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nosuch")
    with pytest.raises(EndpointError, match="nosuch"):
        find_endpoint()
    monkeypatch.delenv("DOCKER_CONTEXT")
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text("{broken")
    with pytest.raises(EndpointError, match=r"config\.json"):
        find_endpoint()


def test_a_rootless_socket_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "run").mkdir()
    (home / "run/docker.sock").touch()
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: str(path) != "/var/run/docker.sock" and exists(path))
    assert find_endpoint().host == f"unix://{home}/run/docker.sock"
    (home / "run/docker.sock").unlink()
    (home / "run/podman").mkdir()
    (home / "run/podman/podman.sock").touch()
    assert find_endpoint().host == f"unix://{home}/run/podman/podman.sock"
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert find_endpoint().host == DEFAULT_HOST


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("unix:///nowhere/docker.sock", "engine.unreachable"),
        ("tcp://127.0.0.1:1", "engine.unreachable"),
        ("tcp://nosuch.invalid:2375", "engine.unreachable"),
        ("ssh://nosuch.invalid", "engine.unreachable"),
        ("gopher://here", "engine.address_invalid"),
        ("tcp://", "engine.address_invalid"),
    ],
)
async def test_an_engine_that_cannot_be_called_is_a_fault_within_seconds(host: str, code: str) -> None:
    engine = DockerEngine(host)
    with anyio.fail_after(8), pytest.raises(StageFailure) as caught:
        await engine.ping()
    assert caught.value.fault.code == code
    with anyio.fail_after(8), pytest.raises(StageFailure) as caught:
        await engine.call(lambda api: api.version())
    assert caught.value.fault.code == code


@pytest.mark.integration  # it waits out the real limit
async def test_an_engine_that_accepts_and_never_answers_is_a_fault_within_seconds(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with anyio.fail_after(8), pytest.raises(StageFailure) as caught:
            await DockerEngine(f"unix://{tmp_path}/s").call(lambda api: api.version())
    assert caught.value.fault.code == "engine.unreachable"


async def test_a_server_that_is_not_an_engine_is_a_fault(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                client.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with anyio.fail_after(8), pytest.raises(StageFailure) as caught:
            await DockerEngine(f"unix://{tmp_path}/s").ping()
        thread.join()
    assert caught.value.fault.code == "engine.unreachable"


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user, which needs root")
def test_a_socket_without_permission_has_its_own_fault(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        (tmp_path / "s").chmod(0o600)
        code = (
            "import os, sys, anyio\nfrom container_kit.stages.docker.engine import DockerEngine\n"
            "from container_kit.stages.contract.fault import StageFailure\nos.chdir(sys.argv[1])\n"
            "async def main():\n    os.seteuid(65534)\n    try: await DockerEngine('unix://s').ping()\n"
            "    except StageFailure as failure: print(failure.fault.code)\nanyio.run(main)"
        )
        said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "engine.permission_denied"


@pytest.mark.engine
async def test_an_answer_that_nobody_expected_is_a_fault_with_the_engines_words(engine: DockerEngine) -> None:
    with pytest.raises(StageFailure) as caught:
        await engine.call(lambda api: api.inspect_container("ck-nosuch"))
    assert caught.value.fault.code == "engine.error"
    assert "ck-nosuch" in caught.value.fault.evidence[0].text

    def judged(api: object) -> str:
        try:
            api.inspect_container("ck-nosuch")  # type: ignore[attr-defined] # APIClient
        except APIError as error:
            return f"status {error.status_code}"
        return "there"

    assert await engine.call(judged) == "status 404"


@pytest.mark.engine
async def test_a_stream_that_is_cancelled_is_aborted_and_waited_for(engine: DockerEngine) -> None:
    stop, ended = threading.Event(), threading.Event()

    def work() -> None:
        stop.wait(20)
        ended.set()

    with anyio.move_on_after(0.1) as scope:
        await engine.stream(work, stop.set)
    assert scope.cancelled_caught
    assert ended.is_set()


@pytest.mark.engine
async def test_a_streams_result_and_errors_come_back_as_they_are(engine: DockerEngine) -> None:
    assert await engine.stream(lambda: 42, lambda: None) == 42
    with pytest.raises(ZeroDivisionError):
        await engine.stream(lambda: 1 // 0, lambda: None)


@pytest.fixture
def tls_engine(tmp_path: Path, engine: DockerEngine) -> Iterator[tuple[str, Path]]:
    """The machine's engine behind TLS that wants a client's certificate: its address, and the folder of the client."""
    certs = tmp_path / "certs"
    certs.mkdir()
    make_certificates(certs)
    with forwarded(engine.host, certs) as host:
        yield host, certs


@pytest.mark.engine
async def test_calls_and_builds_work_over_tls(
    tls_engine: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    ctx: Contexts,
    unique: Callable[[], str],
    tiny_image: str,
    tmp_path: Path,
) -> None:
    host, certs = tls_engine
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certs))
    with contextlib.closing(DockerEngine()) as engine:
        assert (await engine.call(lambda api: api.version()))["ApiVersion"]
        (tmp_path / "Dockerfile").write_text(f"FROM {tiny_image}\nRUN echo over TLS\n")
        options = BuildOptions(tag=unique(), no_cache=True)
        image = await execute(BuildImage(engine), ctx(), Source(path=str(tmp_path)), options)
    assert image.builder == "buildkit-session"
    assert "over TLS" in ctx.lines


@pytest.mark.engine
async def test_an_engine_whose_certificate_is_not_trusted_is_not_called(
    tls_engine: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host, certs = tls_engine
    other = tmp_path / "other"
    other.mkdir()
    make_certificates(other)
    for name in ("cert.pem", "key.pem"):
        shutil.copy(certs / name, other / name)
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(other))
    with anyio.fail_after(8), pytest.raises(StageFailure) as caught:
        await DockerEngine().ping()
    assert caught.value.fault.code == "engine.unreachable"
    assert "certificate verify failed" in caught.value.fault.evidence[0].text
    (other / "ca.pem").write_text("no certificate")
    with pytest.raises(StageFailure) as caught:
        await DockerEngine().ping()
    assert caught.value.fault.code == "engine.address_invalid"


@pytest.mark.engine
async def test_an_engine_behind_ssh_is_called_and_builds(
    engine: DockerEngine,
    monkeypatch: pytest.MonkeyPatch,
    ctx: Contexts,
    unique: Callable[[], str],
    tiny_image: str,
    tmp_path: Path,
) -> None:
    """There is no ssh server here: a stand-in for `ssh` runs the remote command on this machine."""
    if shutil.which("docker") is None:
        pytest.skip("the far end of ssh needs a docker command line")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "ssh").write_text(
        '#!/bin/sh\necho "$@" >> "$0.log"\nwhile [ "$1" != -- ]; do shift; done\nshift 2\nexec sh -c "$*"\n'
    )
    (bin_ / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text(f"FROM {tiny_image}\nRUN echo over ssh\n")
    far = DockerEngine("ssh://me@far.example:2222")
    assert (await far.ping())["api-version"]
    image_id = await _built_over(far, ctx, tmp_path / "app", unique())
    assert await engine.call(lambda api: api.inspect_image(image_id)["Id"]) == image_id
    assert "over ssh" in ctx.lines
    assert "-l me -p 2222 -- far.example docker system dial-stdio" in (bin_ / "ssh.log").read_text()


async def _built_over(far: DockerEngine, ctx: Contexts, root: Path, tag: str) -> str:
    with contextlib.closing(far):
        options = BuildOptions(tag=tag, no_cache=True)
        return (await execute(BuildImage(far), ctx(), Source(path=str(root)), options)).id
