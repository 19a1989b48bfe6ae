"""The executor: carries out the runs of this process inside DBOS's workflow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
from dbos import DBOS
from opentelemetry import context as otel_context
from opentelemetry import propagate

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.durable.event_log import EventLog, RunEvents
from container_kit.pipelines.durable.journal import PLAN_CHANGED, RUN_ELSEWHERE, RunSpec, plan_of, read_outcome
from container_kit.pipelines.durable.queries import RunQueries
from container_kit.pipelines.durable.runtime import DurableRuntime
from container_kit.pipelines.durable.stage_logs import LogWriter, StageLogs
from container_kit.pipelines.events import Event, Listener
from container_kit.pipelines.execution.driver import ROLLBACK_INCOMPLETE, PipelineRun
from container_kit.pipelines.execution.runtime import CancelToken
from container_kit.pipelines.plan import Plan, Step
from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.contract.fault import ConfigurationError, StageFailure
from container_kit.stages.contract.workspace import Workspace

_CLEAN_UP = 20.0
_MADE_KEPT = 64


class Executor:
    """Carries out specs.

    Args:
        find: Finds a pipeline by its name.
        listeners: Hear the events of all runs that are carried out here.
        surroundings: Those of this process.
    """

    def __init__(
        self,
        find: Callable[[str], Plan],
        log: EventLog,
        logs: StageLogs,
        history: RunQueries,
        listeners: Sequence[Listener],
        surroundings: str,
    ) -> None:
        self._find = find
        self._surroundings = surroundings
        self._log = log
        self._logs = logs
        self._history = history
        self._listeners = listeners
        self.fresh: set[str] = set()
        """Runs that were started here a moment ago: nothing of theirs can be in the event log."""
        self.running: dict[str, CancelToken] = {}
        self.artifacts: dict[str, Artifacts] = {}
        """The artifacts of the newest runs that ended here and were not fetched yet."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def carry(self, written: dict[str, Any]) -> dict[str, Any]:
        """Carry out a spec inside its workflow; the result is a `PipelineResponse` as JSON under `response`."""
        spec = RunSpec.model_validate(written)
        run_id = spec.request.id
        events = RunEvents(self._log, await self._told(run_id))
        output = self._logs.listener()
        cancellation = self.running[run_id] = CancelToken()
        task = _this_task()
        self._tasks.add(task)
        token = otel_context.attach(propagate.extract(spec.trace))
        try:
            response = await self._carried_out(spec, cancellation, events, output)
        finally:
            otel_context.detach(token)
            output.close()
            self._tasks.discard(task)
            del self.running[run_id]
        await self._log.flush()
        return {"response": response.model_dump(mode="json")}

    async def unwind(self) -> tuple[str, ...]:
        """Stop what runs here and wait for its clean-up; the journal stays as it is, for whoever goes on with it.

        Returns:
            The runs that are left.

        Nobody may be told that this process is dead before: two would be about the same containers.
        """
        left, tasks = tuple(self.running), set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLEAN_UP)
        return left

    async def _carried_out(
        self, spec: RunSpec, cancellation: CancelToken, events: RunEvents, output: LogWriter
    ) -> PipelineResponse:
        listeners: list[Listener] = [events, output, *self._listeners]
        if spec.surroundings != self._surroundings:
            fault = RUN_ELSEWHERE("the run was asked for by a process that uses another engine, cluster or targets")
            return _refused(spec, listeners, fault)
        plan = self._plan(spec)
        if plan is None:
            known = f"pipeline {spec.pipeline!r} with the stages {', '.join(spec.plan)}"
            return _refused(spec, listeners, PLAN_CHANGED(f"this version has no {known}"))
        timeout = spec.request.options.timeout or plan.timeout
        run = PipelineRun(
            plan=plan,
            request=spec.request,
            runtime=DurableRuntime(cancellation, spec.seed, interactive=spec.interactive),
            workspace=Workspace([Path(root) for root in spec.roots]),
            listeners=listeners,
            deadline=None if timeout is None else events.started_at + timeout,
        )
        if spec.rolls_back is None:
            response = await run.execute()
        else:
            response = await run.roll_back(await self._done(plan, spec.rolls_back))
            if response.fault is not None and response.fault.code != ROLLBACK_INCOMPLETE.code:
                return response  # it was not begun
            undone = "rollback_incomplete" if response.fault else "rolled_back"
            await DBOS.update_workflow_attributes_async(spec.rolls_back, {"undone": undone}, merge=True)
        self.artifacts[spec.request.id] = run.artifacts
        if len(self.artifacts) > _MADE_KEPT:  # nobody may ever fetch them; the journal has them too
            del self.artifacts[next(iter(self.artifacts))]
        return response

    async def _done(self, plan: Plan, run_id: str) -> list[tuple[Step, Any]]:
        steps = await self._history.steps(run_id)
        done = []
        for step in plan.steps():
            written = steps.get(f"run:{step.name}")
            if written and written["status"] == "success" and f"undo:{step.name}" not in steps:
                done.append((step, read_outcome(written, step.signature.output, step.name, replayed=True).output))
        return done

    async def _told(self, run_id: str) -> Sequence[tuple[int, Event]]:
        if run_id in self.fresh:
            self.fresh.discard(run_id)
            return ()
        return await anyio.to_thread.run_sync(self._log.all, run_id)

    def _plan(self, spec: RunSpec) -> Plan | None:
        try:
            plan = self._find(spec.pipeline)
        except ConfigurationError:
            return None
        return plan if plan_of(plan) == spec.plan else None


def _this_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs has one
    return task


def _refused(spec: RunSpec, listeners: Sequence[Listener], failure: StageFailure) -> PipelineResponse:
    empty = PipelineRun(
        plan=Plan(spec.pipeline, "workflow", (), "", ()),
        request=spec.request,
        runtime=DurableRuntime(CancelToken(), {}),
        workspace=Workspace([Path(root) for root in spec.roots]),
        listeners=listeners,
    )
    return empty.reject(failure.fault)
