"""Asking a container whether it is healthy: one GET, or one TCP connection."""

from __future__ import annotations

import re
from dataclasses import dataclass

import anyio
from anyio.abc import SocketStream

from container_kit.stages.artifacts.deployment import Probe

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")  # RFC 9112, section 4
_SECONDS_FOR_ONE = 5.0
_STAYS_OPEN = 0.2
_AT_MOST = 4096


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What came back."""

    healthy: bool
    says: str
    """For a person: `200 OK`, `connection refused`, …"""
    status: int | None = None
    foreign: bool = False
    """True where something answered that was not HTTP."""


async def ask(host: str, port: int, kind: Probe, path: str) -> ProbeResult:
    """Ask once, within a few seconds. Any HTTP status below 500 is healthy: the application answers for itself."""
    with anyio.move_on_after(_SECONDS_FOR_ONE):
        try:
            async with await anyio.connect_tcp(host, port) as stream:
                return await (_http(stream, port, path) if kind == "http" else _tcp(stream))
        except (OSError, anyio.BrokenResourceError):
            return ProbeResult(False, "connection refused or reset")
    return ProbeResult(False, f"no answer within {_SECONDS_FOR_ONE:g} s")


async def _http(stream: SocketStream, port: int, path: str) -> ProbeResult:
    lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "User-Agent: container-kit", "Connection: close"]
    await stream.send("\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n" not in head and len(head) < _AT_MOST:
        try:
            head += await stream.receive(_AT_MOST)
        except anyio.EndOfStream:
            break
    if not head:
        return ProbeResult(False, "the connection was closed without an answer")
    line = head.partition(b"\r\n")[0].decode("latin-1")[:120]
    if match := _STATUS.match(head):
        status = int(match[1])
        return ProbeResult(status < 500, line, status)
    return ProbeResult(False, f"an answer that is not HTTP: {line!r}", foreign=True)


async def _tcp(stream: SocketStream) -> ProbeResult:
    # Engine's proxy accepts before it knows whether the application does, and then closes.
    with anyio.move_on_after(_STAYS_OPEN):
        try:
            await stream.receive(1)
        except anyio.EndOfStream:
            return ProbeResult(False, "the connection was closed at once")
        return ProbeResult(True, "the connection was accepted and greeted")
    return ProbeResult(True, "the connection was accepted")
