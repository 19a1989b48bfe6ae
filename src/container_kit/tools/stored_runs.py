"""Runs in the store: they survive this process. The store is opened when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread
from pydantic import JsonValue

from container_kit.pipelines.durable.owners import FileOwners
from container_kit.pipelines.events import Event, Listener
from container_kit.pipelines.made import Made
from container_kit.pipelines.pipeline import Pipeline
from container_kit.pipelines.request import RUN_UNKNOWN, PipelineRequest, PipelineResponse, StageResult
from container_kit.stages.fault import WiringError
from container_kit.stages.workspace import Workspace
from container_kit.tools.run_view import LogPart, RunState, RunView, stage_change

if TYPE_CHECKING:
    from container_kit.pipelines.durable.history import RunRecord
    from container_kit.pipelines.durable.retention import Retention
    from container_kit.pipelines.durable.runs import DurableRuns
    from container_kit.pipelines.durable.session import Role

_ENDING = 60.0
_A_MOMENT = 0.3


@dataclass(frozen=True, slots=True)
class Store:
    """Where runs are kept."""

    url: str
    """`sqlite:///PATH` or `postgresql://…`."""
    home: Path
    """The folder of stage logs and owners' locks."""
    role: Role = "local"
    concurrency: int | None = None
    keep_runs: int = 1000
    keep_seconds: float = 30 * 24 * 3600.0

    @property
    def file(self) -> Path | None:
        """The SQLite file, where it is one."""
        return Path(self.url.removeprefix("sqlite:///")) if self.url.startswith("sqlite") else None


class StoredRuns:
    """The runs of a store, as one caller's tools see them.

    Args:
        find: Finds a pipeline by its name.
        listeners: Hear the events of the runs that are carried out here.
    """

    def __init__(self, store: Store, find: Callable[[str], Pipeline], listeners: Sequence[Listener]) -> None:
        self._store = store
        self._find = find
        self._listeners = listeners
        self._group: anyio.abc.TaskGroup | None = None
        self._durable: DurableRuns | None = None
        self._opening = anyio.Lock()
        self._leaving = anyio.Event()
        self._closed = anyio.Event()
        self._started: set[str] = set()

    @property
    def exists(self) -> bool:
        """Whether there is anything to be read."""
        return self._durable is not None or self._store.file is None or self._store.file.exists()

    def live_in(self, group: anyio.abc.TaskGroup) -> None:
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
            concurrency=self._store.concurrency,
            find=self._find,
            listeners=self._listeners,
            retention=retention(keep=self._store.keep_runs, max_age=self._store.keep_seconds),
        )
        try:
            async with durable.opened():
                task_status.started(durable)
                await self._leaving.wait()
        finally:
            self._closed.set()

    async def start(self, request: PipelineRequest, workspace: Workspace, caller: str | None) -> str:
        """Ask for a run.

        Raises:
            StageFailure: `request.invalid`, or a fault of the store.
        """
        return await (await self.open()).start(request, workspace, caller=caller)

    async def follow(self, run_id: str, on_event: Listener, stops_run: Callable[[], bool]) -> PipelineResponse:
        """Tell a run's events until its end.

        Cancelling this task cancels the run and waits for its clean-up, unless `stops_run` says that it is to go on.
        """
        durable = await self.open()
        self._started.add(run_id)
        try:
            async for _, event in durable.events(run_id):
                on_event(event)
            response = await durable.wait(run_id)
        except anyio.get_cancelled_exc_class():
            if stops_run() and not self._leaving.is_set():
                with anyio.move_on_after(_ENDING, shield=True):
                    await durable.cancel(run_id)
                    await durable.wait(run_id)
                self._started.discard(run_id)
            elif self._group is not None:
                self._group.start_soon(self._see_out, durable, run_id)
            raise
        except BaseException:
            self._started.discard(run_id)
            raise
        self._started.discard(run_id)
        return response

    async def _see_out(self, durable: DurableRuns, run_id: str) -> None:
        """Wait for a run that nobody waits for any more, so that the process knows when it may end."""
        try:
            await durable.wait(run_id)
        finally:
            self._started.discard(run_id)

    async def stop(self) -> None:
        """Cancel the runs that were asked for here, and wait for their clean-up."""
        if not self._started:
            return
        durable = await self.open()
        for run_id in tuple(self._started):
            await durable.cancel(run_id)
        while self._started:  # noqa: ASYNC110 - seldom, and over in a moment
            await anyio.sleep(0.05)

    async def finish(self) -> None:
        """Wait until the runs that were asked for here, or are carried out here, have ended."""
        while self._started or (self._durable is not None and self._durable.carried_out_here):  # noqa: ASYNC110 - as above
            await anyio.sleep(0.05)

    async def close(self) -> None:
        """Close the store; what runs stays in it for whoever comes next."""
        self._leaving.set()
        if self._durable is not None:
            await self._closed.wait()

    async def made(self, run_id: str, caller: str | None) -> Made:
        """What a run has made.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, caller)
        return await (await self.open()).made(run_id)

    async def get(self, run_id: str, caller: str | None) -> RunView:
        """One run with its stages.

        Raises:
            StageFailure: `run.unknown`.
        """
        record = await self._record(run_id, caller)
        stages = record.response.stages if record.response else await self._stages_so_far(record)
        return view_of(record, stages)

    async def newest(
        self, caller: str | None, status: RunState | None, pipeline: str | None, limit: int
    ) -> list[RunView]:
        """The newest runs that fit, without their stages."""
        history = (await self.open()).history
        records = await history.runs(status=status, pipeline=pipeline, caller=caller, limit=limit)
        return [view_of(record, ()) for record in records if record.caller == caller]

    async def log(self, run_id: str, caller: str | None, stage: str, first: int | None, count: int) -> LogPart:
        """Lines of a stage's log.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, caller)
        logs = (await self.open()).logs
        part = await anyio.to_thread.run_sync(lambda: logs.read(run_id, stage, first=first, count=count))
        return LogPart(lines=part.lines, first=part.first, total=part.total)

    async def cancel(self, run_id: str, caller: str | None) -> None:
        """Ask a run to stop, wherever it is carried out.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, caller)
        await (await self.open()).cancel(run_id)

    async def retry(
        self, run_id: str, caller: str | None, changes: Mapping[str, JsonValue], from_stage: str | None
    ) -> str:
        """Ask for a run that goes on where this one failed; returns its id.

        Raises:
            StageFailure: `run.unknown`, `run.not_ended`, `request.invalid`.
        """
        await self._record(run_id, caller)
        return await (await self.open()).retry(run_id, changes, from_stage=from_stage)

    async def roll_back(self, run_id: str, caller: str | None) -> str:
        """Ask for a run that undoes this one; returns its id.

        Raises:
            StageFailure: `run.unknown`, `run.not_ended`.
        """
        await self._record(run_id, caller)
        return await (await self.open()).roll_back(run_id)

    async def _record(self, run_id: str, caller: str | None) -> RunRecord:
        record = await (await self.open()).history.get(run_id)
        if record.caller != caller:
            raise RUN_UNKNOWN(f"no run {run_id[:64]!r}")
        return record

    async def _stages_so_far(self, record: RunRecord) -> tuple[StageResult, ...]:
        stages = {
            step.name: StageResult(name=step.name, status="not_run") for step in self._find(record.pipeline).steps()
        }
        durable = await self.open()
        with anyio.move_on_after(_A_MOMENT):
            async for _, event in durable.events(record.id):
                _take(stages, event)
        return tuple(stages.values())


def view_of(record: RunRecord, stages: tuple[StageResult, ...]) -> RunView:
    """A stored run as tools show it."""
    return RunView(
        id=record.id,
        pipeline=record.pipeline,
        status=record.status,
        created=record.created,
        updated=record.updated,
        progress=record.progress,
        message=record.message,
        stage=record.stage,
        stages=stages,
        fault=record.fault,
        question=record.question,
        retry_of=record.retry_of,
        rolls_back=record.rolls_back,
    )


def _take(stages: dict[str, StageResult], event: Event) -> None:
    if event.stage in stages:
        stages[event.stage] = stages[event.stage].model_copy(update=stage_change(event))


def _import() -> tuple[type[DurableRuns], type[Retention]]:
    from container_kit.pipelines.durable.retention import Retention
    from container_kit.pipelines.durable.runs import DurableRuns

    return DurableRuns, Retention
