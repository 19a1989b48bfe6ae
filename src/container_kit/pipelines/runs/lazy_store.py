"""Opening the store when it is first needed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread

from container_kit.pipelines.catalog import execution_environment
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.process_locks import FileLocks
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.deploy.targets import Targets

if TYPE_CHECKING:
    from container_kit.pipelines.durable.service import DurableRuns


def environment_id(targets: Targets) -> str:
    """Return a digest of the settings that decide which engine, cluster and targets a run changes. Reads files.

    Without it, an editor's server could resume a deployment that was started in a terminal with another DOCKER_HOST,
    and deploy to the wrong engine.
    """
    facts = [*execution_environment(), *(target.model_dump_json() for target in targets)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


class LazyStore:
    """A store that is opened when it is first needed, because importing DBOS takes half a second.

    Args:
        targets: The configured targets of this process.
    """

    def __init__(self, config: DurableConfig, targets: Targets) -> None:
        self._config = config
        self._targets = targets
        self.group: anyio.abc.TaskGroup | None = None
        """The task group that the store runs in."""
        self.opened: DurableRuns | None = None
        self._open_lock = anyio.Lock()
        self.closing = anyio.Event()
        self._closed = anyio.Event()

    @property
    def exists(self) -> bool:
        """Whether there may be runs to read."""
        return self.opened is not None or self._config.file is None or self._config.file.exists()

    def attach(self, group: anyio.abc.TaskGroup) -> None:
        """Use a task group. Opens the store immediately if a dead process left runs to resume."""
        self.group = group
        if self._config.role == "local" and FileLocks.has_dead_process(self._config.locks_folder):
            group.start_soon(self.open)

    async def open(self) -> DurableRuns:
        """Return the open store.

        Raises:
            StageFailure: A fault of the store.
        """
        async with self._open_lock:
            if self.opened is None:
                if self.group is None:
                    raise ConfigurationError("stored runs require `async with runs.open()` around them")
                self.opened = await self.group.start(self._keep_open)
        assert self.opened is not None  # noqa: S101 - set above
        return self.opened

    async def close(self) -> None:
        """Close the store. Unfinished runs stay in it for the next process."""
        self.closing.set()
        if self.opened is not None:
            await self._closed.wait()

    async def _keep_open(self, *, task_status: anyio.abc.TaskStatus[DurableRuns]) -> None:
        durable_runs = await anyio.to_thread.run_sync(_import_durable_runs)
        config = self._config
        if config.role == "local":  # servers and workers have one environment by their operator's configuration
            config = replace(config, environment_id=await anyio.to_thread.run_sync(environment_id, self._targets))
        durable = durable_runs(config)
        try:
            async with durable.open():
                task_status.started(durable)
                await self.closing.wait()
        finally:
            self._closed.set()


def _import_durable_runs() -> type[DurableRuns]:
    from container_kit.pipelines.durable.service import DurableRuns

    return DurableRuns
