"""A socket between the adapter and a real engine: it counts, refuses upgrades, cuts lines, or looks like Podman."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import threading
from collections import Counter
from pathlib import Path


class EngineProxy:
    """Forwards each connection to an engine's socket.

    Args:
        engine: The engine's address, `unix://…`.
        sessions: False answers `POST /session` with 404, as what knows no sessions does.
        podman: Adds Podman's header to answers of `/_ping`.
    """

    def __init__(self, engine: str, *, sessions: bool = True, podman: bool = False) -> None:
        self.sent: Counter[str] = Counter()
        """Bytes from the client, by the first request of each connection, for example `POST /session`."""
        self._home = tempfile.TemporaryDirectory(prefix="ck-proxy-", dir="/tmp")
        self.host = f"unix://{self._home.name}/docker.sock"
        self._engine = engine.removeprefix("unix://")
        self._sessions, self._podman = sessions, podman
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self._home.name) / "docker.sock"))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=[client], daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        self._open += [client, engine]
        with client, engine, contextlib.suppress(OSError):
            head = client.recv(1 << 16)
            name = _name(head)
            if name == "POST /session" and not self._sessions:
                client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            engine.connect(self._engine)
            self.sent[name] += len(head)
            engine.sendall(head)
            back = threading.Thread(target=self._back, args=[engine, client, name], daemon=True)
            back.start()
            while data := client.recv(1 << 16):
                self.sent[name] += len(data)
                engine.sendall(data)
            engine.shutdown(socket.SHUT_RDWR)
            back.join()

    def _back(self, engine: socket.socket, client: socket.socket, name: str) -> None:
        with contextlib.suppress(OSError):
            while data := engine.recv(1 << 16):
                if self._podman and name == "GET /_ping":
                    data = data.replace(b"\r\n", b"\r\nLibpod-Api-Version: 4.3.1\r\n", 1)
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._home.cleanup()


def _name(head: bytes) -> str:
    method, path, *_ = head.split(b" ", 2)
    return f"{method.decode()} {re.sub(rb'^/v[0-9.]+', b'', path.split(b'?')[0]).decode()}"
