"""The check of Host and Origin headers on every route.

A web page can make a browser send requests to a server on loopback, also under a name of the page's domain that
resolves to the address (DNS rebinding). Such requests carry the page's name in one of these headers.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Probes may address the server by its IP address. A web page under a foreign name cannot."""
_ANY_PORT = ":*"


class HostHeaderCheck:
    """ASGI middleware that rejects requests with a foreign Host (421) or Origin (403).

    Args:
        security: The accepted headers.
    """

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings) -> None:
        self._app = app
        self._hosts = security.allowed_hosts
        self._origins = security.allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request, or reject it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or not (_matches(hosts[0], self._hosts) or _is_probe(scope["path"], hosts[0])):
            await PlainTextResponse("Invalid Host header", 421)(scope, receive, send)
        elif len(origins) > 1 or not all(_matches(origin, self._origins) for origin in origins):
            await PlainTextResponse("Invalid Origin header", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for key, value in scope["headers"] if key == name]


def _matches(value: str, patterns: Sequence[str]) -> bool:
    return any(_fits(value, pattern.lower()) for pattern in patterns)


def _fits(value: str, pattern: str) -> bool:
    if not pattern.endswith(_ANY_PORT):
        return value == pattern
    name = pattern.removesuffix(_ANY_PORT)
    port = value.removeprefix(name + ":")
    return value.startswith(name + ":") and port.isascii() and port.isdigit()


def _is_probe(path: str, host: str) -> bool:
    if path not in _PROBES:
        return False
    name, separator, port = host.rpartition(":")
    if not separator or not port.isdigit() or (host.startswith("[") and host.endswith("]")):
        name = host
    if name == "localhost":
        return True
    try:
        return bool(ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        return False
