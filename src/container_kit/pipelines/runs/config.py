"""The store of runs: where it is, and opening it when it is first needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread

from container_kit.pipelines.catalog import surroundings
from container_kit.pipelines.durable.process_locks import FileOwners
from container_kit.pipelines.events import Listener
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.fault import WiringError
from container_kit.stages.deploy.targets import Targets

if TYPE_CHECKING:
    from container_kit.pipelines.durable.retention import Retention
    from container_kit.pipelines.durable.service import DurableRuns
    from container_kit.pipelines.durable.worker import Role

TOLD_FOR = 3600.0
"""Seconds after its end for which a run is kept for its asker, however many there are."""


@dataclass(frozen=True, slots=True)
class Store:
    """Where runs are kept."""

    url: str
    """`sqlite:///PATH` or `postgresql://…`."""
    home: Path
    """The folder of stage logs and owners' locks."""
    role: Role = "local"
    concurrency: int | None = None
    retention_runs: int = 1000
    keep_seconds: float = 30 * 24 * 3600.0
    targets: Targets = ()
    """Where this process deploys to."""

    def surroundings(self) -> str:
        """A digest of what decides where this process's runs have their effects; servers and workers are set up alike.

        Without it a deployment that was asked for in a terminal with another DOCKER_HOST could be carried out by an
        editor's server, on the wrong engine. Reads files.
        """
        if self.role != "local":
            return ""
        facts = [*surroundings(), *(target.model_dump_json() for target in self.targets)]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]

    @property
    def file(self) -> Path | None:
        """The SQLite file, where it is one."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite") else None


class OpenedStore:
    """A store that is opened when it is first needed.

    Args:
        find: Finds a pipeline by its name.
        listeners: Hear the events of the runs that are carried out here.
    """

    def __init__(self, store: Store, find: Callable[[str], Plan], listeners: Sequence[Listener]) -> None:
        self._store = store
        self._find = find
        self._listeners = listeners
        self._group: anyio.abc.TaskGroup | None = None
        self._durable: DurableRuns | None = None
        self._opening = anyio.Lock()
        self._leaving = anyio.Event()
        self._closed = anyio.Event()

    @property
    def exists(self) -> bool:
        """Whether there is anything to be read."""
        return self._durable is not None or self._store.file is None or self._store.file.exists()

    def attach(self, group: anyio.abc.TaskGroup) -> None:
        """Open the store in this group when it is needed; at once where a process died and left runs to adopt."""
        self._group = group
        if self._store.role == "local" and FileOwners.any_dead(self._store.home / "owners"):
            group.start_soon(self.open)

    async def open(self) -> DurableRuns:
        """The store, opened.

        Raises:
            StageFailure: A fault of the store.
        """
        async with self._opening:
            if self._durable is None:
                if self._group is None:
                    raise WiringError("runs in a store need `async with runs.opened()` around them")
                self._durable = await self._group.start(self._serve)
        assert self._durable is not None  # noqa: S101 - set above
        return self._durable

    async def _serve(self, *, task_status: anyio.abc.TaskStatus[DurableRuns]) -> None:
        durable_runs, retention = await anyio.to_thread.run_sync(_import)
        durable = durable_runs(
            self._store.url,
            self._store.home,
            role=self._store.role,
            surroundings=await anyio.to_thread.run_sync(self._store.surroundings),
            concurrency=self._store.concurrency,
            find=self._find,
            listeners=self._listeners,
            retention=retention(keep=self._store.retention_runs, max_age=self._store.keep_seconds, min_age=TOLD_FOR),
        )
        try:
            async with durable.opened():
                task_status.started(durable)
                await self._leaving.wait()
        finally:
            self._closed.set()

    async def close(self) -> None:
        """Close the store; what runs stays in it for whoever comes next."""
        self._leaving.set()
        if self._durable is not None:
            await self._closed.wait()


def _import() -> tuple[type[DurableRuns], type[Retention]]:
    from container_kit.pipelines.durable.retention import Retention
    from container_kit.pipelines.durable.service import DurableRuns

    return DurableRuns, Retention
