"""A real Postgres server for tests: created in a folder, on a free port, ended by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


class Postgres:
    """One server.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._binaries = newest_binaries()
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.chmod(0o755)
        self._data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self._data, "postgres")
        self._run("initdb", "-D", str(self._data), "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8")

    def url(self, database: str) -> str:
        """Return the URL of a database on this server."""
        return f"postgresql://test@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it responds."""
        command = ["-D", str(self._data), "-p", str(self._port), "-k", str(self._data), "-c", "fsync=off"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        self._process = subprocess.Popen(
            [*_as_postgres(), str(self._binaries / "postgres"), *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while self._try("pg_isready", "-h", "127.0.0.1", "-p", str(self._port)) != 0:
            assert time.monotonic() < deadline, "Postgres did not start"
            assert self._process.poll() is None, "Postgres ended immediately"

    def stop(self) -> None:
        """Stop the server immediately, as a crash would, and wait for its end."""
        if self._process is not None:
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    def create(self, database: str) -> str:
        """Create a database and return its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "test", database)
        return self.url(database)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_postgres(), str(self._binaries / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd="/")

    def _try(self, program: str, *arguments: str) -> int:
        command = [str(self._binaries / program), *arguments]
        return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode


def newest_binaries() -> Path:
    """Return the folder of the newest server that Debian installed.

    Raises:
        FileNotFoundError: No server is installed.
    """
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not folders:
        raise FileNotFoundError("no Postgres server below /usr/lib/postgresql: apt-get install postgresql")
    return folders[-1]


def _as_postgres() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []  # the server does not run as root


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
