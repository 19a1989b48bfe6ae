"""Runs in the store: they survive this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from pydantic import JsonValue

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Event, Listener
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, unknown_run
from container_kit.pipelines.runs.client import Caller, RunDetached
from container_kit.pipelines.runs.config import OpenedStore, Store
from container_kit.pipelines.runs.follow import followed
from container_kit.pipelines.runs.snapshot import LogPart, RunState, RunView
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.pipelines.runs.views import StoredLives, view_of
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.workspace import Workspace

if TYPE_CHECKING:
    from container_kit.pipelines.durable.queries import RunRecord
    from container_kit.pipelines.durable.service import DurableRuns

_ENDING = 60.0


class StoredRuns(OpenedStore):
    """The runs of a store, as one caller's tools see them."""

    def __init__(self, store: Store, find: Callable[[str], Plan], listeners: Sequence[Listener]) -> None:
        super().__init__(store, find, listeners)
        self._started: set[str] = set()
        self._lives = StoredLives(find)

    async def start(self, request: PipelineRequest, workspace: Workspace, asker: Caller) -> str:
        """Ask for a run.

        Raises:
            StageFailure: `request.invalid`, or a fault of the store.
        """
        durable = await self.open()
        return await durable.start(
            request, workspace, principal=asker.principal, interactive=asker.interactive, note=asker.note
        )

    async def follow(self, run_id: str, asker: Caller) -> PipelineResponse:
        """Tell a run's events until its end.

        Cancelling this task cancels the run and waits for its clean-up, unless `cancels_run` says that it is to go on.

        Raises:
            StillRunning: It goes on, and the asker waits no longer.
        """
        durable = await self.open()
        self._started.add(run_id)
        try:
            if await followed(durable, run_id, asker):
                response = await durable.wait(run_id)
                self._started.discard(run_id)
                return response
        except anyio.get_cancelled_exc_class():
            if asker.cancels_run() and not self._leaving.is_set():
                with anyio.move_on_after(_ENDING, shield=True):
                    await durable.cancel(run_id)
                    await durable.wait(run_id)
                self._started.discard(run_id)
            else:
                self._let_go(durable, run_id)
            raise
        except BaseException:
            self._started.discard(run_id)
            raise
        self._let_go(durable, run_id)
        raise RunDetached(run_id)

    def _let_go(self, durable: DurableRuns, run_id: str) -> None:
        if self._group is not None:
            self._group.start_soon(self._see_out, durable, run_id)

    async def _see_out(self, durable: DurableRuns, run_id: str) -> None:
        """Wait for a run that nobody waits for any more, so that the process knows when it may end."""
        try:
            with suppress(StageFailure):  # the store is away; whoever asks for the run is told so
                await durable.wait_for_end(run_id)
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

    @property
    def executing_here(self) -> tuple[str, ...]:
        """The runs that this process is about."""
        return () if self._durable is None else self._durable.executing_here

    async def finish(self) -> None:
        """Wait until the runs that were asked for here, or are carried out here, have ended."""
        while self._started or self.executing_here:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.05)

    async def answer(self, run_id: str, principal: str | None, approval: str, answer: ApprovalDecision) -> None:
        """Answer what a run asks.

        Raises:
            StageFailure: `run.unknown`, or `run.not_waiting` where it asks nothing of the kind.
        """
        await self._record(run_id, principal)
        await (await self.open()).answer(run_id, answer, approval)

    async def note(self, run_id: str, principal: str | None) -> Mapping[str, JsonValue]:
        """What its asker had kept with a run.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, principal)
        return (await (await self.open()).history.spec(run_id)).note

    async def summary(self, run_id: str, principal: str | None) -> RunView:
        """One run without its stages.

        Raises:
            StageFailure: `run.unknown`.
        """
        return view_of(await self._record(run_id, principal), ())

    async def ended(self, run_id: str, principal: str | None) -> PipelineResponse:
        """How a run ended, with what it made; waits for its end.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, principal)
        return await (await self.open()).wait(run_id)

    async def events(self, run_id: str, principal: str | None) -> AsyncIterator[Event]:
        """A run's events from its start to its end, as they happen, wherever it is carried out.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, principal)
        async for _, event in (await self.open()).events(run_id):
            yield event

    async def artifacts(self, run_id: str, principal: str | None) -> Artifacts:
        """What a run has made.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, principal)
        return await (await self.open()).artifacts(run_id)

    async def get(self, run_id: str, principal: str | None) -> RunView:
        """One run with its stages.

        Raises:
            StageFailure: `run.unknown`.
        """
        return (await self.live(run_id, principal))[0]

    async def live(self, run_id: str, principal: str | None) -> tuple[RunView, StageStates]:
        """One run with its stages, and how these stand.

        Raises:
            StageFailure: `run.unknown`.
        """
        record = await self._record(run_id, principal)
        live = await self._lives.of(record, await self.open())
        return view_of(record, record.response.stages if record.response else live.results()), live

    async def changes(self, run_id: str, principal: str | None, begun: Callable[[], None]) -> AsyncIterator[str | None]:
        """The stages that change from now on, None for the run itself, until it has ended.

        Raises:
            StageFailure: `run.unknown`.
        """
        run, live = await self.live(run_id, principal)
        begun()  # what comes behind the last event that was seen is told
        if run.finished:
            return
        durable = await self.open()
        async for _, event in durable.events(run_id, live.seq):
            if event.kind != "run_finished":
                yield event.stage
        await durable.wait(run_id)  # its last event is told a moment before it has ended
        yield None

    async def newest(
        self, principal: str | None, status: RunState | None, pipeline: str | None, limit: int
    ) -> list[RunView]:
        """The newest runs that fit, without their stages."""
        history = (await self.open()).history
        records = await history.runs(status=status, pipeline=pipeline, principal=principal, limit=limit)
        return [view_of(record, ()) for record in records if record.principal == principal]

    async def log(self, run_id: str, principal: str | None, stage: str, first: int | None, count: int) -> LogPart:
        """Lines of a stage's log.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, principal)
        logs = (await self.open()).logs
        part = await anyio.to_thread.run_sync(lambda: logs.read(run_id, stage, first=first, count=count))
        return LogPart(lines=part.lines, first=part.first, total=part.total)

    async def cancel(self, run_id: str, principal: str | None) -> None:
        """Ask a run to stop, wherever it is carried out.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self._record(run_id, principal)
        await (await self.open()).cancel(run_id)

    async def retry(self, run_id: str, asker: Caller, changes: Mapping[str, JsonValue], from_stage: str | None) -> str:
        """Ask for a run that goes on where this one failed; returns its id.

        Raises:
            StageFailure: `run.unknown`, `run.not_ended`, `request.invalid`.
        """
        await self._record(run_id, asker.principal)
        durable = await self.open()
        return await durable.retry(
            run_id, changes, from_stage=from_stage, interactive=asker.interactive, note=asker.note
        )

    async def roll_back(self, run_id: str, asker: Caller) -> str:
        """Ask for a run that undoes this one; returns its id.

        Raises:
            StageFailure: `run.unknown`, `run.not_ended`.
        """
        await self._record(run_id, asker.principal)
        return await (await self.open()).roll_back(run_id, interactive=asker.interactive, note=asker.note)

    async def _record(self, run_id: str, principal: str | None) -> RunRecord:
        record = await (await self.open()).history.get(run_id)
        if record.principal != principal:
            raise unknown_run(run_id)
        return record
