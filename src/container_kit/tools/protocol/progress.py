"""Progress: from a run's events to notifications whose figure rises strictly, at the client's own pace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from container_kit.pipelines.events import Event

Send = Callable[[float, float, str], Awaitable[None]]
"""Sends one notification: progress, total, message."""

TOTAL = 100.0
_PAUSE = 0.1
_PATIENCE = 1.0
_QUIET = frozenset({"stage_output", "run_started"})


class ProgressFeed:
    """Takes events without blocking and keeps the newest of each kind and stage until the client can take them.

    It holds a few records however slow the client is, and the run never waits for it.

    Args:
        on_first: Called with the first event.
    """

    def __init__(self, on_first: Callable[[], object] | None = None) -> None:
        self._on_first = on_first
        self._waiting: dict[tuple[str, str | None, int], Event] = {}
        self._news = anyio.Event()
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if event.kind in _QUIET:
            return
        key = (event.kind, event.stage, event.attempt)
        self._waiting.pop(key, None)  # the newest goes to the end
        self._waiting[key] = event
        self._news.set()
        if self._on_first is not None:
            self._on_first()
            self._on_first = None

    @property
    def began(self) -> bool:
        """Whether there was an event."""
        return self._on_first is None

    async def send_to(self, send: Send) -> None:
        """Send what has happened, a few times a second, until cancelled."""
        while True:
            await self._news.wait()
            await self.flush(send)
            await anyio.sleep(_PAUSE)

    async def flush(self, send: Send) -> None:
        """Send what waits."""
        self._news = anyio.Event()
        while self._waiting:
            event = self._waiting.pop(next(iter(self._waiting)))
            self._last = _risen(self._last, event)
            await send(self._last, TOTAL, told(event))


@asynccontextmanager
async def feeding(send: Send) -> AsyncIterator[ProgressFeed]:
    """A feed that is sent for as long as the block lasts; what is left then is sent if the client takes it soon."""
    async with anyio.create_task_group() as group:
        feed = ProgressFeed(lambda: group.start_soon(feed.send_to, send))
        yield feed
        if feed.began:
            with anyio.move_on_after(_PATIENCE):
                await feed.flush(send)
            group.cancel_scope.cancel()


def told(event: Event) -> str:
    """One line for a person."""
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


def _risen(last: float, event: Event) -> float:
    """A figure above the last one; only the run's end reaches the total."""
    if event.kind == "run_finished":
        return TOTAL
    wanted = event.progress * (TOTAL - 1)
    return wanted if wanted > last else last + (TOTAL - last) / 1000
