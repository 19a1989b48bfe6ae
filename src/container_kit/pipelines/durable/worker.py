"""A session: one process on one store. It opens what runs need there, looks after them, and closes it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.abc
import anyio.to_thread
from dbos import DBOS
from sqlalchemy.exc import SQLAlchemyError

from container_kit.pipelines.durable import dbos_engine as engine
from container_kit.pipelines.durable import store
from container_kit.pipelines.durable.event_log import EventLog, RunEvents
from container_kit.pipelines.durable.executor import Executor
from container_kit.pipelines.durable.postgres_locks import PostgresLocks
from container_kit.pipelines.durable.process_locks import FileOwners, ProcessLocks
from container_kit.pipelines.durable.queries import RunQueries
from container_kit.pipelines.durable.queue_wakeup import Doorbell
from container_kit.pipelines.durable.recovery import Recovery
from container_kit.pipelines.durable.retention import Retention, Sweep, prune
from container_kit.pipelines.durable.stage_logs import StageLogs
from container_kit.pipelines.events import Event, Listener
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.log import logger

Role = Literal["local", "server", "worker"]
"""`local`: asks for runs and carries them out. `server`: only asks. `worker`: carries out what others ask for."""


_WATCH_EVERY = 0.25
_ADOPT_EVERY = 1.0
_PRUNE_EVERY = 3600.0
_POLL_EVERY = 0.1
_QUEUE_EVERY = 0.05


class StoreSession:
    """What `DurableRuns` works with while its store is open; its arguments are described there."""

    executor: Executor
    history: RunQueries
    logs: StageLogs
    workflow: Callable[..., Any]
    events: EventLog

    _owners: ProcessLocks

    def __init__(
        self,
        url: str,
        home: Path,
        *,
        role: Role,
        surroundings: str,
        concurrency: int | None,
        adoptions: int,
        find: Callable[[str], Plan],
        listeners: Sequence[Listener],
        retention: Retention,
        sweep: Sweep,
    ) -> None:
        self._url = url
        self._home = home
        self._role = role
        self.surroundings = surroundings
        self._concurrency = concurrency
        self._adoptions = adoptions
        self._find = find
        self._listeners = listeners
        self._retention = retention
        self._sweep = sweep
        self.bell = Doorbell()

    async def serve(self, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Open the store, say so, and look after the runs until cancelled.

        Raises:
            StageFailure: One of `store.FAULTS`.
        """
        await self._open()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self.events.keep_writing)
                group.start_soon(self._watch)
                task_status.started()
        finally:
            with anyio.CancelScope(shield=True):
                await self._close()

    async def prune(self, retention: Retention) -> list[str]:
        """Forget runs that ended, with their events, their logs and what they left behind; give their ids."""
        return await prune(retention, self.history, self.events, self.logs, self._sweep)

    def tell(self, event: Event) -> None:
        """Add an event to the story of a run that nobody carries out."""
        told = self.events.all(event.run_id)
        RunEvents(self.events, told)(event)

    async def _open(self) -> None:
        await anyio.to_thread.run_sync(self._connect)
        self.events = EventLog(self._database)
        self.history = RunQueries(self._database, self.events)
        self.logs = StageLogs(self._home / "logs")
        self.executor = Executor(self._find, self.events, self.logs, self.history, self._listeners, self.surroundings)
        self._adoption = Recovery(self._owners, self.executor.running, self._adoptions, self.tell, self.surroundings)
        queue = engine.queue_of(self.surroundings)
        self.workflow = engine.make(
            self._database,
            self._owners.me,
            self.executor.carry,
            queue=queue if self._role != "server" else None,
            polling=_POLL_EVERY,
        )
        launched = await engine.launch(queue, concurrency=self._concurrency, polling=_QUEUE_EVERY)
        if self._role == "local":
            self.bell.listen(launched)

    def _connect(self) -> None:
        self._database = store.connect(self._url)
        with store.translated(self._url):
            sqlite = self._url.startswith("sqlite")
            self._owners = FileOwners(self._home / "owners") if sqlite else PostgresLocks(self._database.url)

    async def _close(self) -> None:
        for run_id in await self.executor.unwind():
            with suppress(SQLAlchemyError):  # the store may be what went away
                await self._adoption.leave(run_id)
        await anyio.to_thread.run_sync(self.bell.stop)
        await engine.shut_down()
        await anyio.to_thread.run_sync(self._owners.close)
        await anyio.to_thread.run_sync(self._database.dispose)

    async def _watch(self) -> None:
        next_adoption, next_prune = 0.0, time.monotonic() + _PRUNE_EVERY
        away = False
        while True:
            try:
                await anyio.to_thread.run_sync(self._owners.stay_alive)
                await self._hear_cancellations()
                if self._role != "server" and time.monotonic() >= next_adoption:
                    await self._adoption.look()
                    next_adoption = time.monotonic() + _ADOPT_EVERY
                if time.monotonic() >= next_prune:
                    next_prune = time.monotonic() + _PRUNE_EVERY
                    await self.prune(self._retention)
                if away:
                    away = False
                    logger("container_kit.runs").warning("the store answers again")
            except Exception as error:  # noqa: BLE001 - the store may be away for a while; runs wait for it
                if not away:
                    away = True
                    logger("container_kit.runs").warning("the store does not answer", error=str(error)[:200])
            await anyio.sleep(_WATCH_EVERY)

    async def _hear_cancellations(self) -> None:
        running = dict(self.executor.running)
        if not running:
            return
        workflows = await DBOS.list_workflows_async(workflow_ids=list(running), load_input=False, load_output=False)
        for workflow in workflows:
            if (workflow.attributes or {}).get("cancel"):
                running[workflow.workflow_id].request()
