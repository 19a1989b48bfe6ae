"""The launcher makes a server reachable that its script binds to the loopback address."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from container_kit.stages.ecosystems.python.launcher import LAUNCHER, launcher

pytestmark = pytest.mark.integration
_HANDLER = (
    "import http.server\n"
    "class H(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b'from the script')\n"
)
_STANDARD = f"{_HANDLER}http.server.HTTPServer(('127.0.0.1', PORT), H).serve_forever()\n"
_NAMED = f"{_HANDLER}if __name__ == '__main__': http.server.HTTPServer(('localhost', PORT), H).serve_forever()\n"
_UVICORN = (
    "import uvicorn\n"
    "async def app(scope, receive, send):\n"
    "    if scope['type'] == 'http':\n"
    "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
    "        await send({'type': 'http.response.body', 'body': b'from the script'})\n"
    "if __name__ == '__main__': uvicorn.run(app, host='127.0.0.1', port=PORT, log_level='warning')\n"
)
_ASYNCIO = (
    "import asyncio\n"
    "async def answer(reader, writer):\n"
    "    await reader.readline()\n"
    "    writer.write(b'HTTP/1.0 200 OK\\r\\n\\r\\nfrom the script'); await writer.drain(); writer.close()\n"
    "async def main():\n"
    "    async with await asyncio.start_server(answer, '127.0.0.1', PORT) as server: await server.serve_forever()\n"
    "asyncio.run(main())\n"
)


def free_port() -> int:
    """Return a port that nothing uses."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@contextmanager
def launched(folder: Path, source: str, *packages: str, module: bool = False) -> Iterator[int]:
    """Run a script by the launcher; yield its port."""
    port = free_port()
    (folder / LAUNCHER).write_text(launcher(packages))
    (folder / "main.py").write_text(source.replace("PORT", str(port)))
    words = ["-m", "main"] if module else ["main.py"]
    environment = {**os.environ, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, LAUNCHER, *words], cwd=folder, env=environment)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


def body(port: int) -> str:
    """Request the page at another address of this machine than the one that the script binds to."""
    until = time.monotonic() + 15
    while True:
        connection = http.client.HTTPConnection("127.0.0.2", port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except OSError:
            if time.monotonic() > until:
                raise
        finally:
            connection.close()


@pytest.mark.parametrize("source", [_STANDARD, _NAMED, _ASYNCIO], ids=["address", "name", "asyncio"])
def test_a_server_of_the_standard_library_is_reachable(tmp_path: Path, source: str) -> None:
    with launched(tmp_path, source) as port:
        assert body(port) == "from the script"


def test_uvicorn_in_a_script_is_reachable(tmp_path: Path) -> None:
    with launched(tmp_path, _UVICORN, "uvicorn") as port:
        assert body(port) == "from the script"


def test_a_module_is_run_like_a_script(tmp_path: Path) -> None:
    with launched(tmp_path, _NAMED, module=True) as port:
        assert body(port) == "from the script"


def test_the_launcher_can_be_written_by_a_shell() -> None:
    assert "'" not in launcher(["flask", "flask_socketio", "uvicorn"])
