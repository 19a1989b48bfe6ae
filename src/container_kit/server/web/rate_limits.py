"""Limits over HTTP: requests per minute, parallel requests and open streams. A rejection states when to try again.

Until a credential was found valid, its requests count for the client's address. After that they count for the
principal. A new credential for each request therefore gains nothing, and clients behind one address share no limit.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from dataclasses import dataclass

import anyio
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from container_kit.server.web.addresses import network_of
from container_kit.server.web.credentials import ValidCredentials

_CLIENT_LIMIT = 10_000
_WINDOW_SECONDS = 60.0
_BODY_TIMEOUT = 20.0
_STREAM_PATHS = frozenset({"/mcp", "/sse"})


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The numbers of `RateLimits`."""

    max_concurrent: int
    """Maximum number of parallel requests of all clients."""
    per_minute: int
    """Maximum number of requests per minute of one client (an address or a principal)."""
    max_body_bytes: int
    """Bytes to wait for. The application rejects larger bodies."""
    max_streams: int
    """Maximum number of open streams of one client."""


class RateLimits:
    """ASGI middleware that limits requests.

    A POST request counts as running only after its whole body has arrived, so that slow uploads do not block others.
    """

    def __init__(self, app: ASGIApp, limits: RequestLimits, credentials: ValidCredentials) -> None:
        self._app = app
        self._limits = limits
        self._credentials = credentials
        self._running = 0
        self._streams: Counter[str] = Counter()
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or reject it with 408, 429 or 503."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = self._credentials.principal(scope) or network_of(scope["client"][0] if scope["client"] else "")
        wait = self._seconds_to_wait(client)
        if wait is not None:
            reason = f"the limit is {self._limits.per_minute} requests per minute"
            await _rejection(429, reason, wait)(scope, receive, send)
            return
        await self._forward(client, scope, receive, send)
        principal = self._credentials.principal(scope)
        if principal not in (client, None):
            self._seconds_to_wait(principal)  # the first request with a credential counts for its principal too

    async def _forward(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_stream(scope):  # it lasts as long as the client stays connected
            await self._stream(client, scope, receive, send)
        elif scope["method"] == "POST":
            await self._call(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stream(self, client: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams[client] >= self._limits.max_streams:
            await _rejection(429, f"{self._limits.max_streams} streams are open", 1)(scope, receive, send)
            return
        self._streams[client] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._streams[client] -= 1
            if not self._streams[client]:
                del self._streams[client]

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages = await _receive_body(receive, self._limits.max_body_bytes)
        if messages is None:
            reason = f"the request body did not arrive within {_BODY_TIMEOUT:.0f} s"
            await _rejection(408, reason, 1)(scope, receive, send)
            return
        if self._running >= self._limits.max_concurrent:
            await _rejection(503, f"{self._limits.max_concurrent} requests are running", 1)(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, _replay(messages, receive), send)
        finally:
            self._running -= 1

    def _seconds_to_wait(self, client: str) -> float | None:
        """Return the seconds until the client may send again; None means now."""
        now = time.monotonic()
        start, count = self._windows.pop(client, (now, 0))
        if now - start >= _WINDOW_SECONDS:
            start, count = now, 0
        self._windows[client] = (start, count + 1)
        if len(self._windows) > _CLIENT_LIMIT:
            self._windows.popitem(last=False)
        return None if count < self._limits.per_minute else max(1.0, start + _WINDOW_SECONDS - now)


def _is_stream(scope: Scope) -> bool:
    """Return whether a request opens a stream of notifications. The SDK checks that the header matches the body."""
    if scope["method"] == "GET":
        return scope["path"].rstrip("/") in _STREAM_PATHS
    headers = dict(scope["headers"])
    is_modern = headers.get(b"mcp-protocol-version", b"").decode("latin-1") in MODERN_PROTOCOL_VERSIONS
    return scope["method"] == "POST" and is_modern and headers.get(b"mcp-method") == b"subscriptions/listen"


async def _receive_body(receive: Receive, max_bytes: int) -> list[Message] | None:
    """Receive the messages of a body, up to a size; None if they do not arrive in time."""
    messages: list[Message] = []
    size = 0
    with anyio.move_on_after(_BODY_TIMEOUT):
        while size <= max_bytes:
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
            if not messages[-1].get("more_body"):
                break
        return messages
    return None


def _replay(messages: list[Message], receive: Receive) -> Receive:
    async def replay() -> Message:
        return messages.pop(0) if messages else await receive()

    return replay


def _rejection(status: int, reason: str, wait: float) -> JSONResponse:
    error = {"code": -32000, "message": f"{reason}; try again after {wait:.0f} s"}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status, headers={"Retry-After": f"{wait:.0f}"})
