"""Small web applications as images of a test's own: one program, told by its command what to do wrong."""

from __future__ import annotations

import io
import json
import tarfile
import uuid
from collections.abc import Mapping, Sequence

from docker import APIClient

from container_kit.stages.artifacts.image import Image

PROGRAM = """
import http.server, json, os, socket, sys, time

port, wrong = int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
host = "127.0.0.1" if wrong == "loopback" else "0.0.0.0"
version = os.environ.get("VERSION", "?")
at_first = socket.if_nameindex()  # a shy one is ill once it is in another network too

def hog():
    held = []
    while True:
        held.append(b"x" * (8 << 20))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *arguments): pass
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(1)
        ill = wrong == "sick" or (wrong == "shy" and socket.if_nameindex() != at_first)
        status = 500 if wrong == "raises" else 503 if ill else 200
        if wrong == "raises":
            print("Traceback (most recent call last):\\nKeyError: 'prices of today'", flush=True)
        if self.path.startswith("/dial/"):
            socket.create_connection(tuple(self.path.split("/")[2:]), 5).close()
        body = (json.dumps(sorted(os.environ)) if self.path == "/names" else version).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256

print("starting", version, "with", os.environ.get("PLANTED", "nothing"), flush=True)
if wrong == "exits": sys.exit("no configuration: giving up")
if wrong == "needs": os.environ["DATABASE_URL"]
if wrong == "writes": open("/var/lib/state", "w")
if wrong == "denied": open("/etc/shadow")
if wrong == "hog": hog()
if wrong == "silent": time.sleep(3600)
if wrong == "slow-start": time.sleep(2)
if wrong == "not-http":
    import socketserver
    class Echo(socketserver.BaseRequestHandler):
        def handle(self): self.request.send(b"-ERR what?\\r\\n"); self.request.recv(10)
    socketserver.ThreadingTCPServer((host, port), Echo).serve_forever()
Server((host, port), Handler).serve_forever()
"""
BASE = "python:3.11-slim"


def web_image(
    api: APIClient, repository: str, version: str, command: Sequence[str] = ("8000",), **changes: object
) -> Image:
    """Make an image of the program by copying it into a container and committing that, which takes half a second.

    Args:
        command: The port to listen on, and what to do wrong.
        changes: Fields of the image's configuration, for example `User="1000"`, `Cmd=["/nowhere"]`.
    """
    reference = f"{repository}:{version}"
    container = api.create_container(BASE, ["true"], name=f"{repository}-make-{uuid.uuid4().hex[:6]}")["Id"]
    try:
        api.put_archive(container, "/", _tar({"app.py": PROGRAM}))
        config = {
            "Cmd": ["python", "/app.py", *command],
            "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", f"VERSION={version}", "PYTHONUNBUFFERED=1"],
            "ExposedPorts": {"8000/tcp": {}},
            **changes,
        }
        made = api.commit(container, repository, version, conf=config)
    finally:
        api.remove_container(container, force=True)
    exposed: Mapping[str, object] = config["ExposedPorts"]  # type: ignore[assignment]
    return Image(
        id=made["Id"],
        reference=reference,
        ports=tuple(int(port.partition("/")[0]) for port in exposed),
        user=str(config.get("User", "")),
    )


def names_of_environment(body: bytes) -> set[str]:
    """What `/names` answered."""
    return set(json.loads(body))


def _tar(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()
