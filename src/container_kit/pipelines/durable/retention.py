"""Deleting runs that ended long ago, with their events, their logs and what they left on the engine."""

from __future__ import annotations

import time

import anyio.to_thread
from dbos import DBOS

from container_kit.pipelines.durable.config import Retention, Sweep
from container_kit.pipelines.durable.event_log import EventLog
from container_kit.pipelines.durable.queries import RunQueries
from container_kit.pipelines.durable.stage_logs import StageLogs

_BATCH = 10_000


async def prune(
    retention: Retention, queries: RunQueries, events: EventLog, logs: StageLogs, sweep: Sweep
) -> list[str]:
    """Delete the runs that need not be kept, and return their ids."""
    oldest, youngest = time.time() - retention.max_age, time.time() - retention.min_age
    ended = [run for run in await queries.list_runs(limit=retention.keep + _BATCH) if run.finished]
    surplus = [run for number, run in enumerate(ended) if number >= retention.keep or run.updated < oldest]
    ids = [run.id for run in surplus if run.updated <= youngest]
    if ids:
        await sweep(ids)
        await DBOS.delete_workflows_async(ids)
        await anyio.to_thread.run_sync(events.delete, ids)
        await anyio.to_thread.run_sync(logs.delete, ids)
    return ids
