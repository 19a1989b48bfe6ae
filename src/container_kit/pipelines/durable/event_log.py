"""The event log: one table with the events of all runs, in sequence, which any process can follow."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import anyio
import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from container_kit.pipelines.durable.store import events_table
from container_kit.pipelines.events import Event
from container_kit.stages.contract.log import logger

_FLUSH_EVERY = 0.03
_POLL_EVERY = 0.25
_RETRY_EVERY = 0.5
_PAGE = 500
_ONCE = frozenset(
    {
        "run_started",
        "stage_succeeded",
        "stage_failed",
        "stage_skipped",
        "stage_rolled_back",
        "approval_requested",
        "approval_resolved",
    }
)
"""Events that occur at most once per stage and run."""


class EventLog:
    """Writes events in batches and wakes the followers in this process."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._pending: list[dict[str, Any]] = []
        self._has_pending = anyio.Event()
        self._written: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self._write_lock = anyio.Lock()

    def append(self, row: dict[str, Any]) -> None:
        """Add a row for the next batch. Never blocks."""
        self._pending.append(row)
        self._has_pending.set()

    async def write_batches(self) -> None:
        """Write pending rows until cancelled. Retries while the store is unavailable."""
        while True:
            await self._has_pending.wait()
            await anyio.sleep(_FLUSH_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Return once all rows appended so far are written."""
        async with self._write_lock:
            warned = False
            while self._pending:
                self._has_pending = anyio.Event()
                rows, self._pending = self._pending, []
                try:
                    await anyio.to_thread.run_sync(self._insert, rows)
                except SQLAlchemyError as error:
                    self._pending = rows + self._pending
                    if not warned:
                        warned = True
                        logger("container_kit.events").warning("events wait for the store", error=str(error)[:200])
                    await anyio.sleep(_RETRY_EVERY)
                for run_id in {row["run_id"] for row in rows}:
                    self._written.pop(run_id, anyio.Event()).set()

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[tuple[int, Event]]:
        """Yield a run's events with their sequence numbers, from the one after `after` to the last one."""
        while True:
            written = self._written[run_id]
            page = await anyio.to_thread.run_sync(self.read, run_id, after)
            for seq, event in page:
                after = seq
                yield seq, event
                if event.kind == "run_finished":
                    return
            if not page:
                with anyio.move_on_after(_POLL_EVERY):
                    await written.wait()

    def read(self, run_id: str, after: int = 0, limit: int = _PAGE) -> Sequence[tuple[int, Event]]:
        """Return a page of a run's events. Blocking."""
        table = events_table
        query = sa.select(table.c.seq, table.c.data).where(table.c.run_id == run_id, table.c.seq > after)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.seq).limit(limit)).all()
        return [(seq, Event.model_validate_json(data)) for seq, data in rows]

    def read_all(self, run_id: str, after: int = 0) -> list[tuple[int, Event]]:
        """Return all events of a run after number `after`. Blocking."""
        events: list[tuple[int, Event]] = []
        while page := self.read(run_id, events[-1][0] if events else after):
            events += page
        return events

    def latest(self, run_ids: Sequence[str]) -> dict[str, Event]:
        """Return the newest event of each run. Blocking."""
        table = events_table
        newest = (
            sa.select(table.c.run_id, sa.func.max(table.c.seq).label("seq"))
            .where(table.c.run_id.in_(run_ids))
            .group_by(table.c.run_id)
            .subquery()
        )
        query = sa.select(table.c.run_id, table.c.data).join(
            newest, sa.and_(table.c.run_id == newest.c.run_id, table.c.seq == newest.c.seq)
        )
        with self._engine.connect() as connection:
            return {run_id: Event.model_validate_json(data) for run_id, data in connection.execute(query)}

    def open_questions(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the questions of each run without a resolution in the log, by approval point. Blocking."""
        table = events_table
        kinds = table.c.kind.in_(("approval_requested", "approval_resolved"))
        query = sa.select(table.c.run_id, table.c.data).where(table.c.run_id.in_(run_ids), kinds)
        questions: defaultdict[str, dict[str, str]] = defaultdict(dict)
        with self._engine.connect() as connection:
            for run_id, data in connection.execute(query.order_by(table.c.seq)):
                event = Event.model_validate_json(data)
                if event.kind == "approval_requested":
                    questions[run_id][event.stage or ""] = event.message
                else:
                    questions[run_id].pop(event.stage or "", None)
        return dict(questions)

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete the events of runs. Blocking."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(events_table).where(events_table.c.run_id.in_(run_ids)))

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(events_table), rows)
        except IntegrityError:  # another process has resumed one of these runs and writes its events now
            for row in rows:
                with suppress(IntegrityError), self._engine.begin() as connection:
                    connection.execute(sa.insert(events_table), row)


class RunEvents:
    """A listener that numbers the events of one run and appends them to the log.

    After a crash it continues the sequence and omits events that the log already has.

    Args:
        past: The events of this run in the log.
    """

    def __init__(self, log: EventLog, past: Sequence[tuple[int, Event]] = ()) -> None:
        self._log = log
        self._seq = past[-1][0] if past else 0
        self._seen = {(event.kind, event.stage) for _, event in past if event.kind in _ONCE}
        self.started_at = next((event.time for _, event in past if event.kind == "run_started"), time.time())

    def __call__(self, event: Event) -> None:
        """Append an event. Raw output belongs to the stage's log file and is omitted."""
        if event.kind == "stage_output" or self._is_repeated(event):
            return
        self._seq += 1
        self._log.append(
            {
                "run_id": event.run_id,
                "seq": self._seq,
                "time": event.time,
                "kind": event.kind,
                "pipeline": event.pipeline,
                "stage": event.stage,
                "status": event.status,
                "seconds": event.seconds,
                "data": event.model_dump_json(exclude_none=True),
            }
        )

    def _is_repeated(self, event: Event) -> bool:
        if event.kind not in _ONCE:
            return False
        key = (event.kind, event.stage)
        repeated = key in self._seen
        self._seen.add(key)
        return repeated
