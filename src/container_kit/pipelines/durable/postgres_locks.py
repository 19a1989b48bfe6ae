"""Owners on Postgres: session advisory locks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from container_kit.pipelines.durable.process_locks import new_owner_id

_GRACE = 2.0
"""Seconds that a Postgres owner must be seen without its lock: after a restart of the database it takes it anew."""


class PostgresLocks:
    """Session advisory locks; Postgres drops them when a session ends, also by a broken connection."""

    def __init__(self, url: sa.URL) -> None:
        keepalive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 2, "connect_timeout": 5}
        self._engine = sa.create_engine(
            url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args=keepalive
        )
        self.me = new_owner_id()
        self._session = self._engine.connect()
        self._lock(self.me)
        self._first_seen_dead: dict[str, float] = {}

    @contextmanager
    def take_over(self, owner: str) -> Iterator[bool]:
        """Tell whether the owner is dead, which takes two looks with a while between them."""
        if not self._lock(owner, wait=False):
            self._first_seen_dead.pop(owner, None)
            yield False
            return
        try:
            since = self._first_seen_dead.setdefault(owner, time.monotonic())
            dead = time.monotonic() - since >= _GRACE
            yield dead
            if dead:
                self._first_seen_dead.pop(owner, None)
        finally:
            self._session.execute(sa.text("SELECT pg_advisory_unlock(hashtextextended(:owner, 7))"), {"owner": owner})

    def others(self) -> set[str]:
        """Nobody: a dead session leaves nothing."""
        return set()

    def stay_alive(self) -> None:
        """Take the lock anew where the connection broke."""
        try:
            self._session.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:  # broken, or closed by an earlier attempt that could not connect
            self._first_seen_dead.clear()
            with suppress(sa.exc.SQLAlchemyError):
                self._session.invalidate()
            self._session.close()
            self._session = self._engine.connect()
            self._lock(self.me)

    def close(self) -> None:
        """Release the own lock."""
        self._session.close()
        self._engine.dispose()

    def _lock(self, owner: str, *, wait: bool = True) -> bool:
        function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
        taken = self._session.scalar(sa.text(f"SELECT {function}(hashtextextended(:owner, 7))"), {"owner": owner})
        return wait or bool(taken)
