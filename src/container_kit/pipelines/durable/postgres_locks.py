"""Process locks on Postgres: session advisory locks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from container_kit.pipelines.durable.process_locks import new_executor_id

_GRACE = 2.0
"""Seconds for which a process must be without its lock: after a restart of the database it takes the lock again."""


class PostgresLocks:
    """Session advisory locks. Postgres drops them when a session ends, also when its connection breaks."""

    def __init__(self, url: sa.URL) -> None:
        keepalive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, "connect_timeout": 5}
        self._engine = sa.create_engine(
            url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args=keepalive
        )
        self.executor_id = new_executor_id()
        self._session = self._engine.connect()
        self._lock(self.executor_id)
        self._first_seen_dead: dict[str, float] = {}

    @contextmanager
    def probe(self, executor_id: str) -> Iterator[bool]:
        """Enter a context with whether a process is dead, which takes two probes some time apart."""
        if not self._lock(executor_id, wait=False):
            self._first_seen_dead.pop(executor_id, None)
            yield False
            return
        try:
            since = self._first_seen_dead.setdefault(executor_id, time.monotonic())
            dead = time.monotonic() - since >= _GRACE
            yield dead
            if dead:
                self._first_seen_dead.pop(executor_id, None)
        finally:
            unlock = sa.text("SELECT pg_advisory_unlock(hashtextextended(:id, 7))")
            self._session.execute(unlock, {"id": executor_id})

    def leftovers(self) -> set[str]:
        """Return nothing: a dead session leaves no trace."""
        return set()

    def renew(self) -> None:
        """Take the lock again if the connection broke."""
        try:
            self._session.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:  # broken, or closed by an earlier attempt that could not connect
            self._first_seen_dead.clear()
            with suppress(sa.exc.SQLAlchemyError):
                self._session.invalidate()
            self._session.close()
            self._session = self._engine.connect()
            self._lock(self.executor_id)

    def close(self) -> None:
        """Release the lock of this process."""
        self._session.close()
        self._engine.dispose()

    def _lock(self, executor_id: str, *, wait: bool = True) -> bool:
        function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
        acquired = self._session.scalar(sa.text(f"SELECT {function}(hashtextextended(:id, 7))"), {"id": executor_id})
        return wait or bool(acquired)
