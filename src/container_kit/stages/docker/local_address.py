"""Addresses of engines on this machine: Unix sockets, and named pipes on Windows."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from container_kit.stages.docker.bridge import bridge
from container_kit.stages.host.paths import runtime_folders

if sys.platform == "win32":
    DEFAULT_HOST = "npipe:////./pipe/docker_engine"
    LOCAL_SCHEMES: tuple[str, ...] = ("npipe",)
    _PIPES = ("docker_engine", "dockerDesktopLinuxEngine", "podman-machine-default")

    def dial_local(scheme: str, path: str, timeout: float | None) -> socket.socket:  # noqa: ARG001 - one scheme
        """Connect to a named pipe.

        Raises:
            OSError: No engine listens there.
        """
        import pywintypes
        from docker.transport.npipesocket import NpipeSocket

        pipe = NpipeSocket()
        pipe.settimeout(None)
        try:
            pipe.connect(path.replace("/", "\\"))
        except pywintypes.error as error:
            raise OSError(error.winerror, error.strerror, path) from error
        ours = bridge(pipe.recv, pipe.sendall, pipe.close)
        ours.settimeout(timeout)
        return ours

    def start_connected(command: list[str], timeout: float | None) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        """Start a program whose standard input and output are the returned socket, through pipes."""
        process = subprocess.Popen(  # noqa: S603 - an argv
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin is not None  # noqa: S101 - opened as a pipe
        assert process.stdout is not None  # noqa: S101 - as above
        ours = bridge(_reader(process.stdout), _writer(process.stdin), process.terminate)
        ours.settimeout(timeout)
        return ours, process

    def _reader(pipe: IO[bytes]) -> Callable[[int], bytes]:
        descriptor = pipe.fileno()
        return lambda size: os.read(descriptor, size)

    def _writer(pipe: IO[bytes]) -> Callable[[bytes], None]:
        def write(data: bytes) -> None:
            pipe.write(data)
            pipe.flush()

        return write

    def find_local_host() -> str:
        """Return the address of the first engine that exists on this machine, else the default."""
        existing = (f"npipe:////./pipe/{name}" for name in _PIPES if Path(f"//./pipe/{name}").exists())
        return next(existing, DEFAULT_HOST)

else:
    DEFAULT_HOST = "unix:///var/run/docker.sock"
    LOCAL_SCHEMES: tuple[str, ...] = ("unix",)

    def dial_local(scheme: str, path: str, timeout: float | None) -> socket.socket:  # noqa: ARG001 - one scheme
        """Connect to a Unix socket.

        Raises:
            OSError: No engine listens there.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(path)
        except BaseException:
            sock.close()
            raise
        return sock

    def start_connected(command: list[str], timeout: float | None) -> tuple[socket.socket, subprocess.Popen[bytes]]:
        """Start a program whose standard input and output are the returned socket."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                end = theirs.fileno()
                process = subprocess.Popen(command, stdin=end, stdout=end, stderr=subprocess.DEVNULL)  # noqa: S603 - an argv
        except BaseException:
            ours.close()
            raise
        ours.settimeout(timeout)
        return ours, process

    def find_local_host() -> str:
        """Return the address of the first engine that exists on this machine, else the default."""
        return next((f"unix://{path}" for path in _sockets() if path.exists()), DEFAULT_HOST)

    def _sockets() -> list[Path]:
        """List the usual sockets: rootful and rootless Docker, virtual machines of desktops, Podman."""
        home, runtime = Path.home(), runtime_folders()
        return [
            Path("/var/run/docker.sock"),
            *(folder / "docker.sock" for folder in runtime),
            home / ".docker/run/docker.sock",  # Docker Desktop
            home / ".docker/desktop/docker.sock",
            home / ".orbstack/run/docker.sock",
            home / ".colima/default/docker.sock",
            home / ".config/colima/default/docker.sock",
            home / ".rd/docker.sock",  # Rancher Desktop
            home / ".lima/docker/sock/docker.sock",
            *(folder / "podman/podman.sock" for folder in runtime),
            home / ".local/share/containers/podman/machine/podman.sock",
            Path("/run/podman/podman.sock"),
        ]
