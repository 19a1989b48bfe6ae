"""The session of one process on one store: opens it, looks after its runs, and closes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from container_kit.pipelines.durable import dbos_engine, store
from container_kit.pipelines.durable.config import DurableConfig, Retention
from container_kit.pipelines.durable.event_log import EventLog, RunEvents
from container_kit.pipelines.durable.executor import Executor
from container_kit.pipelines.durable.owners import Owners
from container_kit.pipelines.durable.postgres_locks import PostgresLocks
from container_kit.pipelines.durable.process_locks import FileLocks, ProcessLocks
from container_kit.pipelines.durable.queries import RunQueries
from container_kit.pipelines.durable.recovery import Recovery
from container_kit.pipelines.durable.retention import prune
from container_kit.pipelines.durable.stage_logs import StageLogs
from container_kit.pipelines.events import Event
from container_kit.stages.contract.log import logger
from container_kit.stages.contract.private_files import shared_secret

_WATCH_EVERY = 0.25
_RECOVER_EVERY = 1.0
_PRUNE_EVERY = 3600.0


class StoreSession:
    """The parts that `DurableRuns` uses while its store is open."""

    executor: Executor
    queries: RunQueries
    logs: StageLogs
    workflow: Callable[..., Any]
    events: EventLog
    owners: Owners

    _locks: ProcessLocks

    def __init__(self, config: DurableConfig) -> None:
        self._config = config

    async def run(self, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Open the store, report it as started, and look after its runs until cancelled.

        Raises:
            StageFailure: One of `store.FAULTS`.
        """
        await self._open()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self.events.write_batches)
                group.start_soon(self._watch)
                task_status.started()
        finally:
            with anyio.CancelScope(shield=True):
                await self._close()

    async def prune(self, retention: Retention) -> list[str]:
        """Delete runs that ended, with their events, their logs and what they left on the engine; return their ids."""
        return await prune(retention, self.queries, self.events, self.logs, self._config.sweep)

    def append_event(self, event: Event) -> None:
        """Append an event of a run that no process executes."""
        RunEvents(self.events, self.events.read_all(event.run_id))(event)

    async def _open(self) -> None:
        config = self._config
        await anyio.to_thread.run_sync(self._connect)
        self.events = EventLog(self._database)
        self.owners = Owners(self._database)
        self.queries = RunQueries(self.events)
        self.logs = StageLogs(config.home / "logs")
        self.executor = Executor(config, self.events, self.logs, self.queries, self.owners)
        self._recovery = Recovery(
            self._locks,
            self.executor.running,
            config.max_recovery_attempts,
            self.append_event,
            config.environment_id,
        )
        queue = dbos_engine.queue_name(config.environment_id)
        self.workflow = dbos_engine.configure(
            self._database,
            self._locks.executor_id,
            self.executor.execute,
            queue=None if config.role == "server" else queue,
            key=self._key,
        )
        await dbos_engine.launch(queue, concurrency=config.concurrency)

    def _connect(self) -> None:
        config = self._config
        self._database = store.connect(config.url)
        with store.translate_errors(config.url):
            self._key = config.key if config.key_file is None else shared_secret(config.key_file)
            self._locks = PostgresLocks(self._database.url) if config.file is None else FileLocks(config.locks_folder)

    async def _close(self) -> None:
        for run_id in await self.executor.stop():
            with suppress(SQLAlchemyError):  # the store may be unavailable
                await self._recovery.release(run_id)
        await dbos_engine.shut_down()
        await anyio.to_thread.run_sync(self._locks.close)
        await anyio.to_thread.run_sync(self._database.dispose)

    async def _watch(self) -> None:
        next_recovery, next_prune = 0.0, time.monotonic() + _PRUNE_EVERY
        available = True
        while True:
            try:
                await anyio.to_thread.run_sync(self._locks.renew)
                await self._apply_cancellations()
                if self._config.role != "server" and time.monotonic() >= next_recovery:
                    await self._recovery.recover()
                    next_recovery = time.monotonic() + _RECOVER_EVERY
                if self._config.role != "server" and time.monotonic() >= next_prune:
                    next_prune = time.monotonic() + _PRUNE_EVERY
                    await self.prune(self._config.retention)
                if not available:
                    available = True
                    logger("container_kit.runs").warning("the store is available again")
            except Exception as error:  # noqa: BLE001 - the store may be unavailable for a while; runs wait for it
                if available:
                    available = False
                    logger("container_kit.runs").warning("the store is unavailable", error=str(error)[:200])
            await anyio.sleep(_WATCH_EVERY)

    async def _apply_cancellations(self) -> None:
        running = dict(self.executor.running)
        if not running:
            return
        workflows = await DBOS.list_workflows_async(workflow_ids=list(running), load_input=False, load_output=False)
        for workflow in workflows:
            if (workflow.attributes or {}).get("cancel"):
                running[workflow.workflow_id].request()
