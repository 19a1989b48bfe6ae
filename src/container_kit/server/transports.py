"""The transports: stdio, SSE and streamable HTTP, each ended cleanly by a signal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import anyio

from container_kit.server.settings import Settings

if TYPE_CHECKING:
    import uvicorn
    from mcp.server import MCPServer
    from starlette.applications import Starlette

Transport = Literal["stdio", "sse", "http"]

_GRACE = 20


async def serve(server: MCPServer, transport: Transport, settings: Settings) -> None:
    """Serve until the client goes away or a signal comes; running stages are cancelled and clean up."""
    if transport == "stdio":
        await until_signalled(server.run_stdio_async)
        return
    await _serve_http(http_app(server, transport, settings), transport, settings)


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

            async def listen() -> None:
                with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                    async for _ in signals:
                        scope.cancel()

            group.start_soon(listen)
            await work()
            group.cancel_scope.cancel()
    return scope.cancelled_caught


async def _serve_http(app: Starlette, transport: str, settings: Settings) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as group:
        group.start_soon(_announce, server, transport, settings.host)
        await server.serve()
        group.cancel_scope.cancel()


async def _announce(server: uvicorn.Server, transport: str, host: str) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event to wait for
        await anyio.sleep(0.02)
    [listening, *_] = server.servers[0].sockets
    place = f"[{host}]" if ":" in host else host
    path = "sse" if transport == "sse" else "mcp"
    print(f"serving http://{place}:{listening.getsockname()[1]}/{path}", file=sys.stderr, flush=True)  # noqa: T201
