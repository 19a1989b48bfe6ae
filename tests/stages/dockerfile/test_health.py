"""The health check's request, made by the real programs of a machine to a server that is as plain as one can be."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from typing import Literal

import pytest

from container_kit.stages.dockerfile.generate.health import health_command

PROGRAMS = {"bash": shutil.which("bash") or "bash", "python": sys.executable}


@pytest.mark.parametrize("probe", ["bash", "python"])
@pytest.mark.parametrize(
    ("path", "status", "healthy"),
    [
        ("/health", "200 OK", True),
        ("/health", "302 Found", True),
        ("/health", "404 Not Found", False),
        ("/health", "503 Service Unavailable", False),
        (None, "200 OK", True),
        (None, "404 Not Found", True),
        (None, "500 Internal Server Error", False),
    ],
)
def test_what_is_healthy_depends_on_whether_a_health_path_is_known(
    probe: Literal["bash", "python"], path: str | None, status: str, healthy: bool
) -> None:
    request, code = _ask(probe, path, status)
    assert request.startswith(f"GET {path or '/'} HTTP/1.1\r\n")
    assert (code == 0) == healthy


@pytest.mark.parametrize("probe", ["bash", "python"])
def test_a_server_that_reads_once_and_closes_gets_the_whole_request(probe: Literal["bash", "python"]) -> None:
    for _ in range(20):
        request, code = _ask(probe, None, "200 OK")
        assert request.endswith("\r\n\r\n")
        assert code == 0


def _ask(probe: Literal["bash", "python"], path: str | None, status: str) -> tuple[str, int]:
    """What one read of the server brought, and the exit code of the probe."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        port: int = server.getsockname()[1]
        arguments = health_command(probe, port, path)[1:]
        with subprocess.Popen([PROGRAMS[probe], *arguments], stderr=subprocess.PIPE) as process:
            connection, _ = server.accept()
            with connection:
                request = connection.recv(4096).decode()
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            return request, process.wait(10)
