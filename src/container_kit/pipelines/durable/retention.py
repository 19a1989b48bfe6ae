"""Retention: runs that ended long ago are forgotten, with their events, their logs and what they left behind."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio.to_thread
from dbos import DBOS

from container_kit.pipelines.durable.event_log import EventLog
from container_kit.pipelines.durable.queries import UNENDED, RunQueries
from container_kit.pipelines.durable.stage_logs import StageLogs

Sweep = Callable[[Sequence[str]], Awaitable[object]]
"""Removes what forgotten runs left behind outside the store."""

_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Retention:
    """Which runs that ended are kept."""

    keep: int = 1000
    """How many of the newest at most."""
    max_age: float = 30 * 24 * 3600.0
    """Seconds after its end for which a run is kept."""
    min_age: float = 0.0
    """Seconds after its end for which a run is kept however many there are."""


async def prune(
    retention: Retention, history: RunQueries, events: EventLog, logs: StageLogs, sweep: Sweep
) -> list[str]:
    """Forget the runs that need not be kept; give their ids."""
    oldest, youngest = time.time() - retention.max_age, time.time() - retention.min_age
    records = await history.runs(limit=retention.keep + _AT_ONCE)
    ended = [record for record in records if record.status not in UNENDED]
    beyond = [record for number, record in enumerate(ended) if number >= retention.keep or record.updated < oldest]
    gone = [record.id for record in beyond if record.updated <= youngest]
    if gone:
        await sweep(gone)
        await DBOS.delete_workflows_async(gone)
        await anyio.to_thread.run_sync(events.forget, gone)
        await anyio.to_thread.run_sync(logs.forget, gone)
    return gone
