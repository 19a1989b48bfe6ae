"""Registries of a test's own: Debian's docker-registry, open, with a password file, or with a token server."""

from __future__ import annotations

import contextlib
import ctypes
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from support.skip_policy import cannot_run

_PROGRAM = "docker-registry"


class Registry:
    """One docker-registry, on 127.0.0.1 or another address of this machine. `host` is its `host:port`.

    Args:
        home: An empty folder for its configuration, data and log.
        users: From name to password; None lets everybody in.
        address: Where it listens.
        delete: Whether manifests may be deleted.
        auth: Another `auth` section of its configuration, as JSON.
    """

    def __init__(
        self,
        home: Path,
        users: dict[str, str] | None = None,
        *,
        address: str = "127.0.0.1",
        delete: bool = True,
        auth: dict[str, object] | None = None,
    ) -> None:
        if shutil.which(_PROGRAM) is None:
            cannot_run("docker-registry is missing: apt-get install docker-registry")
        self.home = home
        self.host = f"{address}:{_free_port(address)}"
        self._process: subprocess.Popen[bytes] | None = None
        configuration: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(home / "data")}, "delete": {"enabled": delete}},
            "http": {"addr": self.host},
        }
        if users is not None:
            lines = "".join(f"{name}:{_bcrypt(password)}\n" for name, password in users.items())
            (home / "htpasswd").write_text(lines)
            configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(home / "htpasswd")}}
        if auth is not None:
            configuration["auth"] = auth
        (home / "config.yml").write_text(json.dumps(configuration))  # YAML holds JSON

    def start(self) -> Registry:
        """Start it and wait until it answers."""
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_PROGRAM, "serve", str(self.home / "config.yml")], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError(f"docker-registry did not come up:\n{(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Let it answer no more, without closing its connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def blobs(self) -> int:
        """How many bytes of finished content it has."""
        return sum(file.stat().st_size for file in self.home.glob("data/**/blobs/**/data") if file.is_file())

    def uploading(self) -> int:
        """How many bytes of uploads that are under way it has."""
        return sum(file.stat().st_size for file in self.home.glob("data/**/_uploads/*/data") if file.is_file())

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.host}/v2/", timeout=2):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return error.code == 401
        except OSError:
            return False


class SlowRegistry:
    """A registry behind a line that holds back each PUT for some seconds, as one does that stores far away."""

    def __init__(self, registry: Registry, silent_for: float) -> None:
        self.asked_for_life = 0
        """How often `GET /v2/` came."""
        self._silent_for = silent_for
        self._closed = threading.Event()
        self._behind = registry.host
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> SlowRegistry:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=[client], daemon=True))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        host, _, port = self._behind.partition(":")
        with client, socket.create_connection((host, int(port))) as registry:
            back = threading.Thread(target=_forward, args=[registry, client], daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while not self._closed.is_set() and (data := client.recv(1 << 16)):
                    self.asked_for_life += data.startswith(b"GET /v2/ ")
                    if data.startswith(b"PUT "):
                        self._closed.wait(self._silent_for)
                    registry.sendall(data)
                registry.shutdown(socket.SHUT_RDWR)
            back.join(10)


def _forward(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _bcrypt(password: str) -> str:
    """Hash as the registry wants it; Python has no module for that any more."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    hashed = library.crypt(password.encode(), b"$2b$05$abcdefghijklmnopqrstuu")
    assert hashed.startswith(b"$2b$"), hashed
    return str(hashed.decode())
