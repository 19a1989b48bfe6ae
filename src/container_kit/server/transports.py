"""The transports: stdio, SSE and streamable HTTP. A signal cancels what runs and waits for its clean-up."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import anyio

from container_kit.server.settings import Settings
from container_kit.tools.runs import Runs

if TYPE_CHECKING:
    import uvicorn
    from mcp.server import MCPServer
    from starlette.applications import Starlette

Transport = Literal["stdio", "sse", "http"]

_GRACE = 20


async def serve(server: MCPServer, runs: Runs, transport: Transport, settings: Settings) -> None:
    """Serve until the client goes away or a signal comes."""
    async with runs.opened():
        if transport == "stdio":
            await _serve_stdio(server, runs)
        else:
            await _serve_http(http_app(server, transport, settings), runs, transport, settings)


def http_app(server: MCPServer, transport: Literal["sse", "http"], settings: Settings) -> Starlette:
    """The ASGI application of a transport."""
    if transport == "sse":
        return server.sse_app(host=settings.host, max_request_body_size=settings.max_body_bytes)
    return server.streamable_http_app(host=settings.host, max_request_body_size=settings.max_body_bytes)


async def until_signalled(work: Callable[[], Awaitable[None]]) -> bool:
    """Do the work; SIGINT or SIGTERM cancels it.

    Returns:
        True where a signal did.
    """
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(_on_signal, scope.cancel)
            await work()
            group.cancel_scope.cancel()
    return scope.cancelled_caught


async def _on_signal(react: Callable[[], object]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            react()


async def _serve_stdio(server: MCPServer, runs: Runs) -> None:
    async with anyio.create_task_group() as group:

        async def leave() -> None:
            await runs.stop(_GRACE)
            await anyio.sleep(0.1)  # the answers of what was stopped are on their way
            sys.stderr.flush()
            os._exit(0)  # a thread waits for standard input, and nothing else would end it

        group.start_soon(_on_signal, lambda: group.start_soon(leave))
        await server.run_stdio_async()
        group.cancel_scope.cancel()


async def _serve_http(app: Starlette, runs: Runs, transport: str, settings: Settings) -> None:
    server = _uvicorn(app, settings)
    async with anyio.create_task_group() as group:

        async def leave() -> None:
            await runs.stop(_GRACE)
            server.should_exit = True

        group.start_soon(_on_signal, lambda: group.start_soon(leave))
        group.start_soon(_announce, server, transport, settings.host)
        await server.serve()
        group.cancel_scope.cancel()


def _uvicorn(app: Starlette, settings: Settings) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None, None, None]:
            """Signals are ours: runs are stopped before connections are closed."""
            yield

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return Server(config)


async def _announce(server: uvicorn.Server, transport: str, host: str) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await anyio.sleep(0.02)
    [listening, *_] = server.servers[0].sockets
    place = f"[{host}]" if ":" in host else host
    path = "sse" if transport == "sse" else "mcp"
    print(f"serving http://{place}:{listening.getsockname()[1]}/{path}", file=sys.stderr, flush=True)  # noqa: T201
