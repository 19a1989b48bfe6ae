"""Durable runs: ask for them, follow them, cancel, answer, retry and roll them back, from any process on one store."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
from dbos import DBOS, SetWorkflowAttributes, SetWorkflowID
from pydantic import BaseModel, JsonValue

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.catalog import plan as from_catalog
from container_kit.pipelines.catalog import sweep as sweep_engine
from container_kit.pipelines.durable import enqueue as submission
from container_kit.pipelines.durable import store
from container_kit.pipelines.durable.journal import RunSpec, artifacts_of, plan_of, seed_for_retry
from container_kit.pipelines.durable.queries import (
    RUN_NOT_ENDED,
    RUN_NOT_WAITING,
    UNENDED,
    RunQueries,
    RunRecord,
    answered_at,
)
from container_kit.pipelines.durable.retention import Retention, Sweep
from container_kit.pipelines.durable.stage_logs import StageLogs
from container_kit.pipelines.durable.worker import Role, StoreSession
from container_kit.pipelines.events import Event, Listener
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, new_run_id
from container_kit.stages.contract.fault import Fault
from container_kit.stages.contract.workspace import Workspace

_SETTLING = 0.01


class DurableRuns:
    """All runs on one store, as this process sees them. Only one object a process can be open at a time.

    Args:
        url: `sqlite:///PATH` or `postgresql://…`.
        home: The folder for stage logs and, with SQLite, for the owners' locks.
        role: What this process does.
        surroundings: A digest of what decides where stages have their effects: engine, cluster, targets. Only
            processes with the same one carry out each other's runs.
        concurrency: How many queued runs at once, over all processes; None for no limit.
        adoptions: How often one run is taken over from a dead process before it is parked.
        find: Finds a pipeline by its name; by default in the catalog.
        listeners: Hear the events of all runs that are carried out here.
        retention: Which runs that ended are kept; the others are forgotten once an hour.
        sweep: Removes what forgotten runs left behind outside the store.
    """

    def __init__(
        self,
        url: str,
        home: Path,
        *,
        role: Role = "local",
        surroundings: str = "",
        concurrency: int | None = None,
        adoptions: int = 3,
        find: Callable[[str], Plan] = from_catalog,
        listeners: Sequence[Listener] = (),
        retention: Retention | None = None,
        sweep: Sweep = sweep_engine,
    ) -> None:
        self.url = url
        self._role = role
        self._find = find
        self._handles: dict[str, Any] = {}
        self._session = StoreSession(
            url,
            home,
            role=role,
            surroundings=surroundings,
            concurrency=concurrency,
            adoptions=adoptions,
            find=find,
            listeners=listeners,
            retention=retention or Retention(),
            sweep=sweep,
        )

    @property
    def history(self) -> RunQueries:
        """What is known of runs."""
        return self._session.history

    @property
    def logs(self) -> StageLogs:
        """The raw output of stages."""
        return self._session.logs

    @property
    def executing_here(self) -> tuple[str, ...]:
        """The runs that this very process is about."""
        return tuple(self._session.executor.running)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[DurableRuns]:
        """Have the store open for as long as the block lasts.

        Raises:
            StageFailure: One of `store.FAULTS`.
        """
        try:
            async with anyio.create_task_group() as group:
                await group.start(self.serve)
                try:
                    yield self
                finally:
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) > 1:
                raise
            raise errors.exceptions[0] from errors.exceptions[0].__cause__  # the group is ours, not the caller's

    async def serve(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Open the store, say so, and look after the runs until cancelled.

        Raises:
            StageFailure: One of `store.FAULTS`.
        """
        await self._session.serve(task_status)

    async def start(
        self,
        request: PipelineRequest,
        workspace: Workspace,
        *,
        principal: str | None = None,
        priority: int | None = None,
        interactive: bool = True,
        note: Mapping[str, JsonValue] | None = None,
    ) -> str:
        """Ask for a run; it is in the journal when this returns.

        Args:
            caller: Who asks, where callers are told apart.
            interactive: Whether anybody can answer at approval points.
            note: Kept with the run for whoever asks.
            priority: Among the runs that wait for one target, 1 is the most urgent; None comes before all. Between
                targets there is no order, so that none is starved.

        Raises:
            StageFailure: `request.invalid`, or a fault of the store.
        """
        pipeline = self._find(request.type)
        spec = RunSpec(
            pipeline=request.type,
            request=request,
            roots=tuple(str(root) for root in workspace.roots),
            plan=plan_of(pipeline),
            principal=principal,
            interactive=interactive,
            note=dict(note or {}),
        )
        return await self._submit(pipeline, spec, priority)

    async def wait(self, run_id: str) -> PipelineResponse:
        """Wait for a run's end.

        Raises:
            StageFailure: `run.unknown`, or a fault of the store; the run is then taken up again when the store is well.
        """
        response = await self.wait_for_end(run_id)
        return response.with_artifacts(await self.artifacts(run_id))

    async def wait_for_end(self, run_id: str) -> PipelineResponse:
        """Wait for a run's end, and do not ask what it made.

        Raises:
            StageFailure: As `wait`.
        """
        handle = self._handles.pop(run_id, None)
        if handle is not None:
            with store.translated(self.url):
                result = await handle.get_result()
            return PipelineResponse.model_validate(result["response"])
        return await self._awaited(run_id)

    async def artifacts(self, run_id: str) -> Artifacts:
        """The artifacts of a run so far.

        Raises:
            StageFailure: `run.unknown`.
        """
        here = self._session.executor.artifacts.pop(run_id, None)
        if here is not None:
            return here
        spec = await self.history.spec(run_id)
        steps: dict[str, Any] = {**spec.seed, **await self.history.steps(run_id)}
        return artifacts_of(self._find(spec.pipeline), spec.request, steps)

    async def events(self, run_id: str, after: int = 0) -> AsyncIterator[tuple[int, Event]]:
        """A run's events with their numbers, from the start or behind number `after`, until its last one.

        Raises:
            StageFailure: `run.unknown`.
        """
        await self.history.workflow(run_id)
        async for numbered in self._session.events.follow(run_id, after):
            yield numbered

    async def told(self, run_id: str, after: int = 0) -> Sequence[tuple[int, Event]]:
        """The events of a run so far with their numbers, from the start or behind number `after`."""
        return await anyio.to_thread.run_sync(self._session.events.all, run_id, after)

    async def cancel(self, run_id: str) -> RunRecord:
        """Ask a run to stop, wherever it is carried out; what its kind demands is undone. One that ended stays so.

        Raises:
            StageFailure: `run.unknown`.
        """
        record = await self.history.get(run_id)
        if record.status not in UNENDED:
            return record
        await DBOS.update_workflow_attributes_async(run_id, {"cancel": True}, merge=True)
        if record.status == "queued":
            await DBOS.cancel_workflow_async(run_id)
            self._tell_end(record, "cancelled")
        elif run_id in self._session.executor.running:
            self._session.executor.running[run_id].request()
        for approval in record.questions:
            await self.answer(run_id, ApprovalDecision(approved=False, cancelled=True), approval)
        return await self.history.get(run_id)

    async def answer(self, run_id: str, answer: ApprovalDecision, approval: str | None = None) -> None:
        """Answer a question that a run waits with.

        Args:
            approval: The approval point; by default the first that waits.

        Raises:
            StageFailure: `run.unknown`, or `run.not_waiting` where it asks nothing of the kind.
        """
        record = await self.history.get(run_id)
        point = approval or next(iter(record.questions), None)
        if point not in record.questions:
            raise RUN_NOT_WAITING(f"run {run_id} is {record.status} and asks nothing", status=record.status)
        await DBOS.send_async(run_id, answer.model_dump(mode="json"), point)
        await DBOS.update_workflow_attributes_async(run_id, {answered_at(point): True}, merge=True)

    async def retry(
        self,
        run_id: str,
        changes: Mapping[str, JsonValue] | None = None,
        *,
        from_stage: str | None = None,
        interactive: bool = True,
        note: Mapping[str, JsonValue] | None = None,
    ) -> str:
        """Ask for a new run that goes on where another one failed; what it made and still holds is taken over.

        Args:
            interactive: As of `start`.
            note: As of `start`.
            changes: Fields of the input that are different now; what depends on them is made again.
            from_stage: A stage to start again from, though it succeeded; by default the one that failed.

        Raises:
            StageFailure: `run.unknown`, `run.not_ended`, `request.invalid`.
        """
        spec = await self._ended_spec(run_id)
        pipeline = self._find(spec.pipeline)
        old = spec.request
        request = old.model_copy(update={"id": new_run_id(), "input": {**old.input, **(changes or {})}})
        before, after = pipeline.parse_input(old), pipeline.parse_input(request)
        changed: list[type[BaseModel]] = [type(new) for was, new in zip(before, after, strict=True) if was != new]
        steps: dict[str, Any] = {**spec.seed, **await self.history.steps(run_id)}
        seed = seed_for_retry(pipeline, steps, changed, from_stage)
        new_spec = {"request": request, "plan": plan_of(pipeline), "seed": seed, "retry_of": run_id}
        asked = {"interactive": interactive, "note": dict(note or {})}
        return await self._submit(pipeline, spec.model_copy(update=new_spec | asked), None)

    async def roll_back(
        self, run_id: str, *, interactive: bool = True, note: Mapping[str, JsonValue] | None = None
    ) -> str:
        """Ask for a run that undoes the stages of another one which has ended.

        Args:
            interactive: As of `start`.
            note: As of `start`.

        Raises:
            StageFailure: `run.unknown`, `run.not_ended`.
        """
        spec = await self._ended_spec(run_id)
        request = spec.request.model_copy(update={"id": new_run_id()})
        update = {
            "request": request,
            "rolls_back": run_id,
            "seed": {},
            "interactive": interactive,
            "note": dict(note or {}),
        }
        return await self._submit(self._find(spec.pipeline), spec.model_copy(update=update), None)

    async def prune(self, retention: Retention) -> list[str]:
        """Forget runs that ended, with their events, their logs and what they left behind; give their ids."""
        return await self._session.prune(retention)

    async def _submit(self, pipeline: Plan, spec: RunSpec, priority: int | None) -> str:
        spec = spec.model_copy(update={"surroundings": self._session.surroundings})
        run_id = spec.request.id
        target = submission.target_of(pipeline, spec)
        with store.translated(self.url):
            if self._role != "local" or target is not None:
                await submission.enqueue(spec, target, priority)
                self._session.bell.ring()
                return run_id
            self._session.executor.fresh.add(run_id)
            with SetWorkflowID(run_id), SetWorkflowAttributes(submission.attributes(spec)):
                handle = await DBOS.start_workflow_async(self._session.workflow, submission.written(spec))
            self._handles[run_id] = handle
        return run_id

    async def _awaited(self, run_id: str) -> PipelineResponse:
        async for _ in self.events(run_id):
            pass
        while True:  # the last event is written just before the workflow's own end
            record = await self.history.get(run_id)
            if record.response is not None:
                return record.response
            if record.status not in UNENDED:
                return _without_response(record)
            await anyio.sleep(_SETTLING)

    async def _ended_spec(self, run_id: str) -> RunSpec:
        record = await self.history.get(run_id)
        if record.status in UNENDED:
            raise RUN_NOT_ENDED(f"run {run_id} is {record.status}", status=record.status)
        return await self.history.spec(run_id)

    def _tell_end(self, record: RunRecord, status: str) -> None:
        self._session.tell(
            Event(
                kind="run_finished",
                run_id=record.id,
                pipeline=record.pipeline,
                time=time.time(),
                progress=1.0,
                message=f"{record.pipeline}: {status} before it began",
                status=status,
            )
        )


def _without_response(record: RunRecord) -> PipelineResponse:
    fault = record.fault or Fault(code="run.cancelled", message=record.message)
    status: Any = "cancelled" if record.status == "cancelled" else "failed"
    return PipelineResponse(id=record.id, pipeline=record.pipeline, status=status, stages=(), seconds=0.0, fault=fault)
