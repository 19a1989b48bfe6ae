"""Limits over HTTP: requests at once and requests a minute, each refused with what the client may do."""

from __future__ import annotations

import time
from collections import OrderedDict

import anyio
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CALLERS_KEPT = 1000
_MINUTE = 60.0
_ARRIVES_WITHIN = 20.0


class RateLimits:
    """ASGI middleware that bounds POST requests: others are streams that wait, or questions about health.

    A request counts once all of it is there, so that one that never arrives takes no other's place.

    Args:
        at_once: How many are carried out at the same time.
        largest_body: Bytes of a body that are waited for; what is larger is refused by the application.
        a_minute: How many one caller (an address, or a token) may send in a minute.
    """

    def __init__(self, app: ASGIApp, at_once: int, a_minute: int, largest_body: int) -> None:
        self._app = app
        self._largest_body = largest_body
        self._at_once = at_once
        self._a_minute = a_minute
        self._running = 0
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 429 or 503."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        wait = self._wait(_caller(scope))
        if wait is not None:
            await _refusal(429, f"more than {self._a_minute} requests a minute", wait)(scope, receive, send)
            return
        if _listens(scope):  # it lasts as long as its client does; the SDK bounds how many there are
            await self._app(scope, receive, send)
            return
        begun = await _arrived(receive, self._largest_body)
        if begun is None:
            await _refusal(408, f"the request did not arrive within {_ARRIVES_WITHIN:.0f} s", 1)(scope, receive, send)
            return
        if self._running >= self._at_once:
            await _refusal(503, f"{self._at_once} requests are being carried out", 1)(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, _again(begun, receive), send)
        finally:
            self._running -= 1

    def _wait(self, principal: str) -> float | None:
        """Seconds until the caller may send again; None where it may now."""
        now = time.monotonic()
        began, count = self._windows.pop(principal, (now, 0))
        if now - began >= _MINUTE:
            began, count = now, 0
        self._windows[principal] = (began, count + 1)
        if len(self._windows) > _CALLERS_KEPT:
            self._windows.popitem(last=False)
        return None if count < self._a_minute else max(1.0, began + _MINUTE - now)


def _listens(scope: Scope) -> bool:
    """Whether a request opens a stream of notifications. In the revisions that have them the SDK checks the header."""
    headers = dict(scope["headers"])
    modern = headers.get(b"mcp-protocol-version", b"").decode("latin-1") in MODERN_PROTOCOL_VERSIONS
    return modern and headers.get(b"mcp-method") == b"subscriptions/listen"


async def _arrived(receive: Receive, largest: int) -> list[Message] | None:
    """The messages of a request's body, as many as fit; None where they do not come in time."""
    begun: list[Message] = []
    size = 0
    with anyio.move_on_after(_ARRIVES_WITHIN):
        while size <= largest:
            begun.append(await receive())
            size += len(begun[-1].get("body", b""))
            if not begun[-1].get("more_body"):
                break
        return begun
    return None


def _again(begun: list[Message], receive: Receive) -> Receive:
    async def again() -> Message:
        return begun.pop(0) if begun else await receive()

    return again


def _caller(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(hash(value))
    return str(scope["client"][0]) if scope["client"] else ""


def _refusal(status: int, why: str, wait: float) -> JSONResponse:
    error = {"code": -32000, "message": f"{why}; send it again after {wait:.0f} s"}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, status, headers={"Retry-After": f"{wait:.0f}"})
