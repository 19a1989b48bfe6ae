"""Private attributes of the MCP SDK. All uses are here, so that an update of the SDK has one place to check."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp_types import EmptyResult


def add_request_handler(
    server: MCPServer,
    method: str,
    params: type[Any],
    handler: Callable[[ServerRequestContext[Any, Any], Any], Awaitable[EmptyResult]],
) -> None:
    """Serve a method that `MCPServer` has no decorator for."""
    server._lowlevel_server.add_request_handler(method, params, handler)


def connection_of(request: ServerRequestContext[Any, Any]) -> Connection:
    """Return the connection of a request. Its state lives as long as the client stays connected."""
    return request.session._connection


def is_cancel_requested(request: ServerRequestContext[Any, Any]) -> bool:
    """Return whether the client has cancelled a request, as opposed to losing the connection."""
    return bool(request.session._request_outbound.cancel_requested.is_set())
