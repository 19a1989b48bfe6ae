"""SIGINT and SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import anyio


async def run_until_signal(function: Callable[[], Awaitable[object]]) -> bool:
    """Run a function; SIGINT or SIGTERM cancels it.

    Returns:
        Whether a signal cancelled it.
    """
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(handle_signals, lambda _: scope.cancel())
            await function()
            group.cancel_scope.cancel()
    return scope.cancelled_caught


async def handle_signals(handler: Callable[[signal.Signals], object]) -> None:
    """Call a handler with each SIGINT and SIGTERM, until cancelled."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for received in signals:
            handler(received)
