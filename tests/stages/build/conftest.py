"""Fixtures of the build room: source folders, and registries of a test's own."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from container_kit.stages.build import BuildImage
from container_kit.stages.docker.engine import DockerEngine
from support.engine.proxy import EngineProxy
from support.skip_policy import cannot_run


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes files into a source folder: `write(Dockerfile="FROM …", **{"a/b.txt": "…"})`."""

    def into(**files: str) -> Path:
        for name, content in files.items():
            path = tmp_path / "app" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, newline="")
        return tmp_path / "app"

    return into


@pytest.fixture
def stage(engine: DockerEngine) -> BuildImage:
    return BuildImage(engine)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Starts registries: `registry()` gives `HOST:PORT`, `registry(users="htpasswd lines")` one that wants a login."""
    if shutil.which("docker-registry") is None:
        cannot_run("Debian's docker-registry is not installed")
    started: list[subprocess.Popen[bytes]] = []

    def start(users: str = "", host: str = "127.0.0.1", cert: Path | None = None, key: Path | None = None) -> str:
        home = tmp_path / f"registry-{len(started)}"
        home.mkdir()
        port = _free_port(host)
        config = f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {home}/data}}}}\n"
        config += f"http:\n  addr: {host}:{port}\n"
        if cert is not None:
            config += f"  tls: {{certificate: {cert}, key: {key}}}\n"
        if users:
            (home / "users").write_text(users)
            config += f"auth: {{htpasswd: {{realm: test, path: {home}/users}}}}\n"
        (home / "config.yml").write_text(config)
        with (home / "log").open("wb") as log:
            command = ["docker-registry", "serve", str(home / "config.yml")]
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
        _until_it_listens(host, port)
        return f"{host}:{port}"

    yield start
    for process in started:
        process.terminate()
        process.wait(10)


def _free_port(host: str) -> int:
    with socket.create_server((host, 0)) as server:
        return int(server.getsockname()[1])


def _until_it_listens(host: str, port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException), socket.create_connection((host, port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"no registry at {host}:{port}")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def proxy(engine: DockerEngine) -> Iterator[Callable[..., EngineProxy]]:
    """Starts proxies before the machine's engine: `proxy(sessions=False)`, `proxy(podman=True)`."""
    started: list[EngineProxy] = []

    def start(**options: bool) -> EngineProxy:
        started.append(EngineProxy(engine.host, **options))
        return started[-1]

    yield start
    for one in started:
        one.close()
