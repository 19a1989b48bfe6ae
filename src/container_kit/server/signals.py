"""SIGINT and SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    with receive_signals() as signals:
        async for received in signals:
            handler(received)


if sys.platform == "win32":

    @contextmanager
    def receive_signals() -> Iterator[AsyncIterator[signal.Signals]]:
        """Receive each SIGINT (Ctrl-C), SIGTERM and SIGBREAK (Ctrl-Break) until the end of the block.

        The event loop of Windows has no signal handlers. It wakes up for those of Python, which run in this thread.
        """
        send, receive = anyio.create_memory_object_stream[signal.Signals](16)
        loop = asyncio.get_running_loop()

        def handle(number: int, _: object) -> None:
            received = signal.SIGTERM if number == signal.SIGBREAK else signal.Signals(number)
            loop.call_soon_threadsafe(send.send_nowait, received)

        before = {number: signal.signal(number, handle) for number in (*_SIGNALS, signal.SIGBREAK)}
        try:
            with send, receive:
                yield receive
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

else:

    @contextmanager
    def receive_signals() -> Iterator[AsyncIterator[signal.Signals]]:
        """Receive each SIGINT and SIGTERM until the end of the block."""
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            yield signals
