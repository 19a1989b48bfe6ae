"""The event log: the events of all runs in one table, numbered without a gap, read live from any process."""

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
_TOLD_ONCE = frozenset(
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


class EventLog:
    """Writes events in batches and wakes those of this process that wait for them."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._pending: list[dict[str, Any]] = []
        self._wanted = anyio.Event()
        self._written: defaultdict[str, anyio.Event] = defaultdict(anyio.Event)
        self._writing = anyio.Lock()

    def append(self, row: dict[str, Any]) -> None:
        """Take a row to be written soon. Never blocks."""
        self._pending.append(row)
        self._wanted.set()

    async def keep_writing(self) -> None:
        """Write what is pending, over and over, until cancelled. A store that is away is tried again."""
        while True:
            await self._wanted.wait()
            await anyio.sleep(_FLUSH_EVERY)
            await self.flush()

    async def flush(self) -> None:
        """Return once all that was appended before is written."""
        async with self._writing:
            told = False
            while self._pending:
                self._wanted = anyio.Event()
                rows, self._pending = self._pending, []
                try:
                    await anyio.to_thread.run_sync(self._insert, rows)
                except SQLAlchemyError as error:
                    self._pending = rows + self._pending
                    if not told:
                        told = True
                        logger("container_kit.events").warning("events wait for the store", error=str(error)[:200])
                    await anyio.sleep(_RETRY_EVERY)
                for run_id in {row["run_id"] for row in rows}:
                    self._written.pop(run_id, anyio.Event()).set()

    async def follow(self, run_id: str, after: int = 0) -> AsyncIterator[tuple[int, Event]]:
        """Yield a run's events with their numbers, from the one behind `after` to the last one of the run."""
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
        """Read a page of a run's events; blocking."""
        table = events_table
        query = sa.select(table.c.seq, table.c.data).where(table.c.run_id == run_id, table.c.seq > after)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.seq).limit(limit)).all()
        return [(seq, Event.model_validate_json(data)) for seq, data in rows]

    def all(self, run_id: str, after: int = 0) -> list[tuple[int, Event]]:
        """Read all events of a run, or those behind number `after`; blocking."""
        found: list[tuple[int, Event]] = []
        while page := self.read(run_id, found[-1][0] if found else after):
            found += page
        return found

    def last(self, run_ids: Sequence[str]) -> dict[str, Event]:
        """The newest event of each run; blocking."""
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

    def questions(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """What each of these runs asks and was not answered as far as it told, by approval point; blocking."""
        table = events_table
        kinds = table.c.kind.in_(("approval_requested", "approval_resolved"))
        query = sa.select(table.c.run_id, table.c.data).where(table.c.run_id.in_(run_ids), kinds)
        asked: defaultdict[str, dict[str, str]] = defaultdict(dict)
        with self._engine.connect() as connection:
            for run_id, data in connection.execute(query.order_by(table.c.seq)):
                event = Event.model_validate_json(data)
                if event.kind == "approval_requested":
                    asked[run_id][event.stage or ""] = event.message
                else:
                    asked[run_id].pop(event.stage or "", None)
        return dict(asked)

    def forget(self, run_ids: Sequence[str]) -> None:
        """Delete the events of runs; blocking."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(events_table).where(events_table.c.run_id.in_(run_ids)))

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(events_table), rows)
        except IntegrityError:  # another process has adopted one of these runs and tells its story now
            for row in rows:
                with suppress(IntegrityError), self._engine.begin() as connection:
                    connection.execute(sa.insert(events_table), row)


class RunEvents:
    """A listener that numbers the events of one run and hands them to the log.

    After a crash it goes on with the next number, and what was told before the crash is not told again.

    Args:
        told: What the log holds of this run already.
    """

    def __init__(self, log: EventLog, told: Sequence[tuple[int, Event]] = ()) -> None:
        self._log = log
        self._seq = told[-1][0] if told else 0
        self._told = {(event.kind, event.stage) for _, event in told if event.kind in _TOLD_ONCE}
        self.started_at = next((event.time for _, event in told if event.kind == "run_started"), time.time())

    def __call__(self, event: Event) -> None:
        """Take one event; raw output goes to the stage's log file and not here."""
        if event.kind == "stage_output" or self._was_told(event):
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

    def _was_told(self, event: Event) -> bool:
        key = (event.kind, event.stage)
        if event.kind not in _TOLD_ONCE or key not in self._told:
            if event.kind in _TOLD_ONCE:
                self._told.add(key)
            return False
        return True
