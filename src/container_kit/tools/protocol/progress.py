"""Progress notifications: strictly rising figures from a run's events, at the client's pace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from container_kit.pipelines.events import Event

Send = Callable[[float, float, str], Awaitable[None]]
"""Sends one notification: progress, total, message."""

TOTAL = 100.0
_INTERVAL = 0.1
_FLUSH_TIMEOUT = 1.0
_SILENT = frozenset({"stage_output", "run_started"})


class ProgressFeed:
    """Buffers the newest event of each kind and stage until the client accepts it.

    The buffer stays small however slow the client is, and the run never waits for the client.

    Args:
        on_first: Called with the first event.
    """

    def __init__(self, on_first: Callable[[], object] | None = None) -> None:
        self._on_first = on_first
        self._pending: dict[tuple[str, str | None, int], Event] = {}
        self._changed = anyio.Event()
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Buffer an event. Does not block."""
        if event.kind in _SILENT:
            return
        key = (event.kind, event.stage, event.attempt)
        self._pending.pop(key, None)  # move the key to the end
        self._pending[key] = event
        self._changed.set()
        if self._on_first is not None:
            self._on_first()
            self._on_first = None

    @property
    def has_started(self) -> bool:
        """Return whether there was an event."""
        return self._on_first is None

    async def send_to(self, send: Send) -> None:
        """Send buffered events several times a second, until cancelled."""
        while True:
            await self._changed.wait()
            await self.flush(send)
            await anyio.sleep(_INTERVAL)

    async def flush(self, send: Send) -> None:
        """Send all buffered events."""
        self._changed = anyio.Event()
        while self._pending:
            event = self._pending.pop(next(iter(self._pending)))
            self._last = _next_figure(self._last, event)
            await send(self._last, TOTAL, progress_line(event))


@asynccontextmanager
async def progress_feed(send: Send) -> AsyncIterator[ProgressFeed]:
    """Yield a feed that is sent during the block. The rest is sent at the end, if the client accepts it in time."""
    async with anyio.create_task_group() as group:
        feed = ProgressFeed(lambda: group.start_soon(feed.send_to, send))
        yield feed
        if feed.has_started:
            with anyio.move_on_after(_FLUSH_TIMEOUT):
                await feed.flush(send)
            group.cancel_scope.cancel()


def progress_line(event: Event) -> str:
    """Return one line about an event."""
    stage = event.stage or event.pipeline
    match event.kind:
        case "stage_succeeded":
            return f"{stage}: done in {event.seconds or 0:.1f} s"
        case "stage_failed":
            return f"{stage}: failed: {event.message}"
        case "stage_started":
            return f"{stage}: started" if event.attempt == 1 else f"{stage}: attempt {event.attempt}"
        case "stage_retrying" | "stage_progress":
            return f"{stage}: {event.message}"
        case _:
            return event.message or event.kind.replace("_", " ")


def _next_figure(last: float, event: Event) -> float:
    """Return a figure above the last one. Only the end of the run reaches the total."""
    if event.kind == "run_finished":
        return TOTAL
    figure = event.progress * (TOTAL - 1)
    return figure if figure > last else last + (TOTAL - last) / 1000
