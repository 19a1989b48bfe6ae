"""The transports stdio, SSE and streamable HTTP, and their shutdown.

A client that disconnects stops no stored run. SIGINT, from a person, cancels the runs and waits for their cleanup.
SIGTERM, from a supervisor, leaves them in the store, and the next process resumes them.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import anyio
from starlette.middleware import Middleware

from container_kit.pipelines.runs.service import RunService
from container_kit.server.settings import Settings
from container_kit.server.signals import handle_signals
from container_kit.server.web.credentials import RecordCredentials, ValidCredentials
from container_kit.server.web.host_check import HostHeaderCheck
from container_kit.server.web.local_token import QueryToken
from container_kit.server.web.rate_limits import RateLimits, RequestLimits
from container_kit.stages.contract.fault import ConfigurationError

if TYPE_CHECKING:
    import uvicorn
    from mcp.server import MCPServer
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette

_GRACE_SECONDS = 20


def http_app(
    server: MCPServer,
    transport: Literal["sse", "http"],
    settings: Settings,
    security: TransportSecuritySettings,
    credentials: ValidCredentials,
    *,
    url_has_token: bool = False,
) -> Starlette:
    """Return the ASGI application of a transport, with its limits.

    Args:
        security: The accepted Host and Origin headers.
        credentials: The credentials that were found valid.
        url_has_token: Whether clients may send the token in the URL.
    """
    make_app = server.sse_app if transport == "sse" else server.streamable_http_app
    app = make_app(host=settings.host, max_request_body_size=settings.max_body_bytes, transport_security=security)
    app.user_middleware.append(Middleware(RecordCredentials, credentials=credentials))  # after the authentication
    limits = RequestLimits(
        max_concurrent=settings.max_concurrent_calls,
        per_minute=settings.rate_limit_per_minute,
        max_body_bytes=settings.max_body_bytes,
        max_streams=settings.max_streams_per_client,
    )
    app.add_middleware(RateLimits, limits=limits, credentials=credentials)
    if url_has_token:
        app.add_middleware(QueryToken)
    app.add_middleware(HostHeaderCheck, security=security)  # the last one is the first to see a request
    return app


async def _end_runs(runs: RunService, received: signal.Signals) -> None:
    if received == signal.SIGINT:
        await runs.stop(_GRACE_SECONDS)
    await runs.release(_GRACE_SECONDS)


async def serve_stdio(server: MCPServer, runs: RunService) -> None:
    """Serve one client until it closes stdin and its runs have ended, or until a signal arrives."""
    async with runs.open(), anyio.create_task_group() as group:

        async def shut_down(received: signal.Signals) -> None:
            await _end_runs(runs, received)
            await anyio.sleep(0.1)  # the results of the cancelled calls are being written
            sys.stderr.flush()
            os._exit(0)  # a thread blocks on stdin, and nothing else would end it

        group.start_soon(handle_signals, lambda received: group.start_soon(shut_down, received))
        await server.run_stdio_async()
        await runs.drain()
        group.cancel_scope.cancel()


async def serve_http(app: Starlette, runs: RunService, listener: socket.socket, settings: Settings) -> None:
    """Serve an application on a socket until a signal arrives."""
    server = _uvicorn_server(app, settings)
    async with runs.open(), anyio.create_task_group() as group:

        async def shut_down(received: signal.Signals) -> None:
            await _end_runs(runs, received)
            server.should_exit = True

        group.start_soon(handle_signals, lambda received: group.start_soon(shut_down, received))
        await server.serve([listener])
        group.cancel_scope.cancel()


def listen(settings: Settings) -> socket.socket:
    """Open the socket to listen on.

    Raises:
        ConfigurationError: The address or port is not available.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
    # asyncio leaves Nagle's algorithm on for sockets that name no protocol; each response then waits 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    return listener


def url_of(listener: socket.socket, transport: str) -> str:
    """Return the URL of the endpoint of a transport, or of the page `runs`, on this socket."""
    host, port = listener.getsockname()[:2]
    path = "mcp" if transport == "http" else transport
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/{path}"


def _uvicorn_server(app: Starlette, settings: Settings) -> uvicorn.Server:
    import uvicorn

    from container_kit.server.web.connections import BACKLOG, ConnectionLimits, protocol_with

    class ServerWithoutSignals(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            """Leave signals to `shut_down`, which ends the runs before the connections."""
            yield

    limits = ConnectionLimits(settings.max_connections, settings.max_connections_per_address)
    config = uvicorn.Config(
        app,
        http=protocol_with(limits),
        ws="none",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return ServerWithoutSignals(config)
