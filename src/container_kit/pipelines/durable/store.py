"""The store: a SQLite file or a Postgres database, and the faults of one that cannot be used.

DBOS keeps its journal here. Beside it stands one table of our own, the events, with the version of its layout.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure

STORE_READ_ONLY = FaultCode(
    "store.read_only",
    means="The store of runs cannot be written.",
    hint="Give the server's user write permission on {place}, or set CONTAINER_KIT_HOME to a folder of its own.",
)
STORE_CORRUPT = FaultCode(
    "store.corrupt",
    means="The store of runs is damaged or is no database.",
    hint="Move {place} away (its runs are lost with it) or restore a backup; a new store is made at the next run.",
)
STORE_DISK_FULL = FaultCode(
    "store.disk_full",
    means="The disk of the store of runs is full.",
    hint="Free space on the disk of {place}; runs go on where they stood.",
    retryable=True,
)
STORE_NEWER = FaultCode(
    "store.newer",
    means="The store was written by a newer version of Container Kit.",
    hint="Update Container Kit to the version that made {place}, or use another CONTAINER_KIT_HOME.",
)
STORE_UNREACHABLE = FaultCode(
    "store.unreachable",
    means="The database of runs does not answer.",
    hint="Check that the database at {place} runs and that CONTAINER_KIT_STORE is right.",
    retryable=True,
)
STORE_ERROR = FaultCode(
    "store.error",
    means="The database of runs refused a statement for a reason that has no code of its own.",
    hint="The database's own words are in the evidence.",
)

FAULTS = (STORE_READ_ONLY, STORE_CORRUPT, STORE_DISK_FULL, STORE_NEWER, STORE_UNREACHABLE, STORE_ERROR)

_LAYOUT = 1
_BUSY_MS = 30_000
_LOCKED_AGAIN = 0.01

_metadata = sa.MetaData()
layout_table = sa.Table("container_kit_layout", _metadata, sa.Column("version", sa.Integer, primary_key=True))
events_table = sa.Table(
    "container_kit_events",
    _metadata,
    sa.Column("run_id", sa.String, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("pipeline", sa.String, nullable=False),
    sa.Column("stage", sa.String),
    sa.Column("status", sa.String),
    sa.Column("seconds", sa.Float),
    sa.Column("data", sa.Text, nullable=False),
    sa.Index("container_kit_events_by_kind", "kind", "pipeline", "stage"),
)


def connect(url: str) -> sa.Engine:
    """Open a store, making it where it is missing.

    Args:
        url: `sqlite:///PATH` or `postgresql://…`.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    with translated(url):
        if url.startswith("sqlite"):
            engine = _sqlite(Path(url.removeprefix("sqlite:///")))
        else:
            engine = sa.create_engine(_with_driver(url), pool_pre_ping=True, pool_size=10)
        _prepare(engine, url)
        return engine


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise what the database says as a fault."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise translate(error, url) from error


def translate(error: Exception, url: str) -> StageFailure:
    """The fault of a database's error."""
    place = sa.make_url(url).render_as_string(hide_password=True)
    text = str(error.orig if isinstance(error, DBAPIError) else error)
    code = _code_of(error, text.lower())
    return code(f"{code.means} ({place})", evidence=[Evidence(kind="value", text=text[:1000])], place=place)


def _code_of(error: Exception, text: str) -> FaultCode:
    if isinstance(error, PermissionError) or "readonly" in text or "read-only" in text or "unable to open" in text:
        return STORE_READ_ONLY
    if "malformed" in text or "not a database" in text or "disk i/o error" in text:
        return STORE_CORRUPT
    if "disk is full" in text or "no space left" in text or "could not extend" in text:
        return STORE_DISK_FULL
    if (isinstance(error, DBAPIError) and error.connection_invalidated) or "connection" in text:
        return STORE_UNREACHABLE
    return STORE_ERROR


def _with_driver(url: str) -> sa.URL:
    # In a database without an encoding (SQL_ASCII) the driver would give bytes for text.
    return sa.make_url(url).set(drivername="postgresql+psycopg").update_query_dict({"client_encoding": "utf8"})


def _sqlite(path: Path) -> sa.Engine:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{path}")

    # Without WAL each step waits for two syncs of the disk; NORMAL loses no committed step when a process dies.
    @sa.event.listens_for(engine, "connect")
    def tune(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _write_ahead(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL. Where others open a new file at the same moment, SQLite refuses at once instead of waiting."""
    end = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_LOCKED_AGAIN)
        else:
            return


_ALONE = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(hashtextextended('container_kit_layout', 7))",
}
"""What lets one process after the other look for the tables and make them, until its transaction ends."""


def _prepare(engine: sa.Engine, url: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(_ALONE[connection.dialect.name])
        _metadata.create_all(connection)
        version = connection.scalar(sa.select(layout_table.c.version))
        if version is None:
            connection.execute(sa.insert(layout_table).values(version=_LAYOUT))
        elif version > _LAYOUT:
            place = sa.make_url(url).render_as_string(hide_password=True)
            raise STORE_NEWER(f"{place} has layout {version}, this version knows {_LAYOUT}", place=place)
