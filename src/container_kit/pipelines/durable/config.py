"""The configuration of durable runs. Imports neither dbos nor sqlalchemy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from container_kit.pipelines import catalog
from container_kit.pipelines.events import Listener
from container_kit.pipelines.plan import Plan

Role = Literal["local", "server", "worker"]
"""`local` starts and executes runs, `server` only starts them, `worker` executes the runs of servers."""

RESULT_TTL = 3600.0
"""Seconds after its end for which a run is kept for its caller in any case."""

Sweep = Callable[[Sequence[str]], Awaitable[object]]
"""Removes from the engine what deleted runs left there."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Which of the runs that have ended are kept."""

    keep: int = 1000
    """The newest runs, at most."""
    max_age: float = 30 * 24 * 3600.0
    """Seconds after its end until a run is deleted."""
    min_age: float = 0.0
    """Seconds after its end for which a run is kept in any case."""


@dataclass(frozen=True, slots=True)
class DurableConfig:
    """The store of runs, and the part that this process takes in them."""

    url: str
    """`sqlite:///PATH` or `postgresql://…`."""
    home: Path
    """The folder of stage logs and, with SQLite, of process locks."""
    key: str | None = None
    """Encrypts the journal in a database server. A SQLite file has its own key in a file."""
    role: Role = "local"
    environment_id: str = ""
    """Identifies the engine, cluster and targets. Only processes with equal ids execute each other's runs."""
    concurrency: int | None = None
    """Queued runs at the same time, over all processes; None means no limit."""
    max_recovery_attempts: int = 3
    """How often one run is resumed after a crash of its process."""
    find: Callable[[str], Plan] = catalog.plan
    """Returns the plan with a name."""
    listeners: Sequence[Listener] = ()
    """Receive the events of all runs that this process executes."""
    retention: Retention = Retention()
    """Applied once an hour."""
    sweep: Sweep = catalog.sweep

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for Postgres."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite") else None

    @property
    def key_file(self) -> Path | None:
        """The file with the key of a SQLite file; None for Postgres."""
        return None if self.file is None else self.file.with_name(f"{self.file.name}.key")

    @property
    def locks_folder(self) -> Path:
        """The folder of process locks."""
        return self.home / "processes"
