"""Limits over HTTP: parallel requests and requests per minute. A rejection states when to try again."""

from __future__ import annotations

import time
from collections import OrderedDict

import anyio
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLIENT_LIMIT = 1000
_WINDOW_SECONDS = 60.0
_BODY_TIMEOUT = 20.0


class RateLimits:
    """ASGI middleware that limits POST requests. Other requests are event streams or health checks.

    A request counts as running only after its whole body has arrived, so that slow uploads do not block others.

    Args:
        max_concurrent: Maximum number of parallel requests.
        per_minute: Maximum number of requests per minute from one client (an address or a token).
        max_body_bytes: Bytes to wait for. The application rejects larger bodies.
    """

    def __init__(self, app: ASGIApp, max_concurrent: int, per_minute: int, max_body_bytes: int) -> None:
        self._app = app
        self._max_concurrent = max_concurrent
        self._per_minute = per_minute
        self._max_body_bytes = max_body_bytes
        self._running = 0
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or reject it with 408, 429 or 503."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        wait = self._seconds_to_wait(_client_of(scope))
        if wait is not None:
            reason = f"the limit is {self._per_minute} requests per minute"
            await _rejection(429, reason, wait)(scope, receive, send)
            return
        if _is_listen(scope):  # it lasts as long as the client stays connected; the SDK limits these streams
            await self._app(scope, receive, send)
            return
        messages = await _receive_body(receive, self._max_body_bytes)
        if messages is None:
            reason = f"the request body did not arrive within {_BODY_TIMEOUT:.0f} s"
            await _rejection(408, reason, 1)(scope, receive, send)
            return
        if self._running >= self._max_concurrent:
            await _rejection(503, f"{self._max_concurrent} requests are running", 1)(scope, receive, send)
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
        return None if count < self._per_minute else max(1.0, start + _WINDOW_SECONDS - now)


def _is_listen(scope: Scope) -> bool:
    """Return whether a request opens a stream of notifications. The SDK checks that the header matches the body."""
    headers = dict(scope["headers"])
    is_modern = headers.get(b"mcp-protocol-version", b"").decode("latin-1") in MODERN_PROTOCOL_VERSIONS
    return is_modern and headers.get(b"mcp-method") == b"subscriptions/listen"


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


def _client_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(hash(value))
    return str(scope["client"][0]) if scope["client"] else ""


def _rejection(status: int, reason: str, wait: float) -> JSONResponse:
    error = {"code": -32000, "message": f"{reason}; try again after {wait:.0f} s"}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status, headers={"Retry-After": f"{wait:.0f}"})
