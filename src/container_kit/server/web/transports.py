"""The transports: stdio, SSE and streamable HTTP, and how they end.

A client that goes away stops nothing that is in the store. SIGINT, a person's, cancels what runs and waits for its
clean-up; SIGTERM, a machine's, leaves it in the store for the next process to go on with.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import anyio

from container_kit.pipelines.runs.service import RunService
from container_kit.server.settings import Settings
from container_kit.server.web.auth import transport_security
from container_kit.server.web.rate_limits import RateLimits
from container_kit.stages.contract.fault import WiringError

if TYPE_CHECKING:
    import uvicorn
    from mcp.server import MCPServer
    from starlette.applications import Starlette

Transport = Literal["stdio", "sse", "http"]

_GRACE = 20


def http_app(server: MCPServer, transport: Literal["sse", "http"], settings: Settings) -> Starlette:
    """The ASGI application of a transport, within its limits.

    Raises:
        WiringError: It would be open to others without a token.
    """
    make = server.sse_app if transport == "sse" else server.streamable_http_app
    app = make(
        host=settings.host,
        max_request_body_size=settings.max_body_bytes,
        transport_security=transport_security(settings),
    )
    app.add_middleware(
        RateLimits,
        at_once=settings.max_concurrent_calls,
        a_minute=settings.rate_limit_per_minute,
        largest_body=settings.max_body_bytes,
    )
    return app


async def until_signalled(work: Callable[[], Awaitable[None]]) -> bool:
    """Do the work; SIGINT or SIGTERM cancels it.

    Returns:
        True where a signal did.
    """
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(_on_signal, lambda _: scope.cancel())
            await work()
            group.cancel_scope.cancel()
    return scope.cancelled_caught


async def _on_signal(react: Callable[[signal.Signals], object]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for received in signals:
            react(received)


async def _end_runs(runs: RunService, received: signal.Signals) -> None:
    if received == signal.SIGINT:
        await runs.stop(_GRACE)
    await runs.leave(_GRACE)


async def serve_stdio(server: MCPServer, runs: RunService) -> None:
    """Serve one client until it closes standard input and what it asked for has ended, or a signal comes."""
    async with runs.opened(), anyio.create_task_group() as group:

        async def leave(received: signal.Signals) -> None:
            await _end_runs(runs, received)
            await anyio.sleep(0.1)  # the answers of what was stopped are on their way
            sys.stderr.flush()
            os._exit(0)  # a thread waits for standard input, and nothing else would end it

        group.start_soon(_on_signal, lambda received: group.start_soon(leave, received))
        await server.run_stdio_async()
        await runs.finish()
        group.cancel_scope.cancel()


async def serve_http(app: Starlette, runs: RunService, listening: socket.socket) -> None:
    """Serve an application on a socket until a signal comes."""
    server = _uvicorn(app)
    async with runs.opened(), anyio.create_task_group() as group:

        async def leave(received: signal.Signals) -> None:
            await _end_runs(runs, received)
            server.should_exit = True

        group.start_soon(_on_signal, lambda received: group.start_soon(leave, received))
        await server.serve([listening])
        group.cancel_scope.cancel()


def listen(settings: Settings) -> socket.socket:
    """Open the socket that the settings name.

    Raises:
        WiringError: The address or port cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise WiringError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
    # asyncio leaves Nagle's algorithm on for sockets that name no protocol; each answer then waits 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is accepted inherits it
    return listening


def address(listening: socket.socket, transport: str) -> str:
    """The URL of the endpoint of a transport on this socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/{'sse' if transport == 'sse' else 'mcp'}"


def _uvicorn(app: Starlette) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            """Signals are ours: runs are stopped before connections are closed."""
            yield

    return Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
