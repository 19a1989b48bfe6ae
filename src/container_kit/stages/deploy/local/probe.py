"""The health probe of a container: one GET, or one TCP connection."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
from anyio.abc import SocketStream

from container_kit.stages.artifacts.deployment import Probe
from container_kit.stages.contract import expressions as re

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")  # RFC 9112, section 4
_LOCATION = re.compile(rb"^location:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
TIMEOUT = 5.0
"""Seconds for one probe."""
TCP_OPEN_SECONDS = 0.2
"""Seconds for which a connection must stay open to count as accepted."""
_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The answer to a probe."""

    healthy: bool
    detail: str
    """For people: `200 OK`, `connection refused`, …"""
    status: int | None = None
    not_http: bool = False
    """True if the answer was not HTTP."""
    location: str | None = None
    """The target of a redirection."""


Send = Callable[[Probe, str], Awaitable[ProbeResult]]
"""Probes one address: the kind of the probe, and the path for HTTP."""


def probe_address(host: str, port: int) -> Send:
    """Return a function that probes an address that this machine reaches."""
    return functools.partial(send, host, port)


async def send(host: str, port: int, kind: Probe, path: str) -> ProbeResult:
    """Probe once, within a few seconds. Any HTTP status below 500 is healthy."""
    with anyio.move_on_after(TIMEOUT):
        try:
            async with await anyio.connect_tcp(host, port) as stream:
                return await (_http(stream, port, path) if kind == "http" else _tcp(stream))
        except (OSError, anyio.BrokenResourceError):
            return ProbeResult(False, "connection refused or reset")
    return ProbeResult(False, f"no answer within {TIMEOUT:g} s")


async def _http(stream: SocketStream, port: int, path: str) -> ProbeResult:
    await stream.send(request(port, path).encode())
    head = b""
    while not _is_complete(head) and len(head) < _MAX_BYTES:
        try:
            head += await stream.receive(_MAX_BYTES)
        except anyio.EndOfStream:
            break
    return read_answer(head)


def request(port: int, path: str) -> str:
    """Return the HTTP request of a probe."""
    lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "User-Agent: container-kit", "Connection: close"]
    return "\r\n".join([*lines, "", ""])


def read_answer(head: bytes) -> ProbeResult:
    """Read the first bytes of the answer to an HTTP probe. Any HTTP status below 500 is healthy."""
    if not head:
        return ProbeResult(False, "the connection was closed without an answer")
    line = head.partition(b"\r\n")[0].decode("latin-1")[:120]
    if match := _STATUS.match(head):
        status = int(match[1])
        moved = _LOCATION.search(head) if 300 <= status < 400 else None
        return ProbeResult(status < 500, line, status, location=moved[1].decode("latin-1") if moved else None)
    return ProbeResult(False, f"an answer that is not HTTP: {line!r}", not_http=True)


def _is_complete(head: bytes) -> bool:
    """Return whether the status line has arrived, and of a redirection all header fields."""
    end = b"\r\n\r\n" if head.startswith((b"HTTP/1.1 3", b"HTTP/1.0 3")) else b"\r\n"
    return end in head


async def _tcp(stream: SocketStream) -> ProbeResult:
    # The engine's proxy accepts a connection before it has reached the application, and then closes it.
    with anyio.move_on_after(TCP_OPEN_SECONDS):
        try:
            await stream.receive(1)
        except anyio.EndOfStream:
            return ProbeResult(False, "the connection was closed immediately")
        return ProbeResult(True, "the connection was accepted and greeted")
    return ProbeResult(True, "the connection was accepted")
