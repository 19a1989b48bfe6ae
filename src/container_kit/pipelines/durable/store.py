"""The store: a SQLite file or a Postgres database, and its faults.

It holds the journal of DBOS, the table of events, and the version of that table's layout.
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
from container_kit.stages.contract.private_files import UnsafePath, make_private_file, make_private_folder

STORE_READ_ONLY = FaultCode(
    "store.read_only",
    means="The store of runs is not writable.",
    hint="Give the server's user write permission on {place}, or set CONTAINER_KIT_HOME to another folder.",
)
STORE_CORRUPT = FaultCode(
    "store.corrupt",
    means="The store of runs is damaged or is not a database.",
    hint="Move {place} away, which loses its runs, or restore a backup. The next run creates a new store.",
)
STORE_DISK_FULL = FaultCode(
    "store.disk_full",
    means="The disk of the store of runs is full.",
    hint="Free space on the disk of {place}; runs then resume.",
    retryable=True,
)
STORE_NEWER = FaultCode(
    "store.newer",
    means="The store was written by a newer version of Container Kit.",
    hint="Update Container Kit to the version that wrote {place}, or set another CONTAINER_KIT_HOME.",
)
STORE_UNREACHABLE = FaultCode(
    "store.unreachable",
    means="The database of runs does not respond.",
    hint="Check that the database at {place} runs and that CONTAINER_KIT_STORE is correct.",
    retryable=True,
)
STORE_ERROR = FaultCode(
    "store.error",
    means="The database of runs rejected a statement for a reason without a specific code.",
    hint="The evidence has the error of the database.",
)
STORE_UNSAFE = FaultCode(
    "store.unsafe",
    means="Other users of this machine can change or replace the store of runs, so its content cannot be trusted.",
    hint="{reason}. Or set CONTAINER_KIT_HOME to a folder that only the server's user can write to.",
)

FAULTS = (STORE_READ_ONLY, STORE_CORRUPT, STORE_DISK_FULL, STORE_NEWER, STORE_UNREACHABLE, STORE_ERROR, STORE_UNSAFE)

_LAYOUT = 1
_BUSY_MS = 30_000
_LOCKED_RETRY = 0.01

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
)
owners_table = sa.Table(
    "container_kit_owners",
    _metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("principal", sa.String, nullable=False),
)


def connect(url: str) -> sa.Engine:
    """Open a store. Creates it if it does not exist.

    Args:
        url: `sqlite:///PATH` or `postgresql://…`.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    with translate_errors(url):
        if url.startswith("sqlite"):
            engine = _sqlite(Path(url.removeprefix("sqlite:///")))
        else:
            engine = sa.create_engine(_with_driver(url), pool_pre_ping=True, pool_size=10)
        _prepare(engine, url)
        return engine


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Raise errors of the database as faults."""
    try:
        yield
    except UnsafePath as error:
        raise STORE_UNSAFE(f"the store of runs is not private: {error}", reason=error) from error
    except (SQLAlchemyError, OSError) as error:
        raise failure_of(error, url) from error


def failure_of(error: Exception, url: str) -> StageFailure:
    """Return the fault of a database error."""
    place = place_of(url)
    text = _without_secrets(str(error.orig if isinstance(error, DBAPIError) else error), url)
    code = _code_of(error, text.lower())
    return code(f"{code.means} ({place})", evidence=[Evidence(kind="value", text=text[:1000])], place=place)


def place_of(url: str) -> str:
    """Return where a store is, from the parts of its URL that hold no credentials."""
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError:
        return "the address in CONTAINER_KIT_STORE"
    if parsed.get_backend_name() == "sqlite":
        return str(parsed.database)
    host = f"[{parsed.host}]" if ":" in (parsed.host or "") else parsed.host or "the local socket"
    return f"{host}{f':{parsed.port}' if parsed.port else ''}/{parsed.database or ''}"


def _without_secrets(text: str, url: str) -> str:
    """Return the text of an error without the password and the options of the URL, which drivers may repeat."""
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError:
        return text.replace(url, "the address")
    options = (value for item in parsed.query.values() for value in ((item,) if isinstance(item, str) else item))
    for secret in (url, parsed.password, *options):
        if secret and len(str(secret)) > 3:
            text = text.replace(str(secret), "[redacted]")
    return text


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
    # In a database without an encoding (SQL_ASCII) the driver would return text as bytes.
    return sa.make_url(url).set(drivername="postgresql+psycopg").update_query_dict({"client_encoding": "utf8"})


def _sqlite(path: Path) -> sa.Engine:
    make_private_folder(path.parent)
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        if name == path.name or path.with_name(name).exists():
            make_private_file(path.with_name(name))  # SQLite would create it with the mode of the process
    engine = sa.create_engine(f"sqlite:///{path}")

    # Without WAL each step waits for two disk syncs. NORMAL loses no committed step when a process dies.
    @sa.event.listens_for(engine, "connect")
    def tune(connection: Any, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _write_ahead(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL. If other processes open a new file at the same time, SQLite fails without waiting."""
    end = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_LOCKED_RETRY)
        else:
            return


_EXCLUSIVELY = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(hashtextextended('container_kit_layout', 7))",
}
"""Statements that serialize the creation of tables between processes, until the end of the transaction."""


def _prepare(engine: sa.Engine, url: str) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(_EXCLUSIVELY[connection.dialect.name])
        _metadata.create_all(connection)
        version = connection.scalar(sa.select(layout_table.c.version))
        if version is None:
            connection.execute(sa.insert(layout_table).values(version=_LAYOUT))
        elif version > _LAYOUT:
            place = place_of(url)
            raise STORE_NEWER(f"{place} has layout {version}, this version supports up to {_LAYOUT}", place=place)
