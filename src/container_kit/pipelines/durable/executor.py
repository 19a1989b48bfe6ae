"""The executor: runs plans inside DBOS workflows of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
from dbos import DBOS
from opentelemetry import context as otel_context
from opentelemetry import propagate

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.enqueue import concurrency_key
from container_kit.pipelines.durable.event_log import EventLog, RunEvents
from container_kit.pipelines.durable.journal import (
    RUN_ENVIRONMENT_MISMATCH,
    RUN_PLAN_CHANGED,
    RunSpec,
    can_be_rolled_back,
    read_outcome,
    stage_names,
)
from container_kit.pipelines.durable.owners import Owners
from container_kit.pipelines.durable.queries import RunQueries
from container_kit.pipelines.durable.runtime import DurableRuntime
from container_kit.pipelines.durable.stage_logs import LogWriter, StageLogs
from container_kit.pipelines.events import Event, Listener
from container_kit.pipelines.execution.driver import ROLLBACK_INCOMPLETE, PipelineRun
from container_kit.pipelines.execution.runtime import CancelToken
from container_kit.pipelines.plan import Plan, Step
from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.contract.fault import ConfigurationError, StageFailure
from container_kit.stages.contract.workspace import PATH_OUTSIDE_WORKSPACE, Workspace

_STOP_TIMEOUT = 20.0
_ARTIFACTS_KEPT = 64


class Executor:
    """Executes run specs."""

    def __init__(
        self, config: DurableConfig, events: EventLog, logs: StageLogs, queries: RunQueries, owners: Owners
    ) -> None:
        self._owners = owners
        self._config = config
        self._events = events
        self._logs = logs
        self._queries = queries
        self.new_runs: set[str] = set()
        """Runs that were just started here, so the event log has no events of them."""
        self.running: dict[str, CancelToken] = {}
        self.artifacts: dict[str, Artifacts] = {}
        """The artifacts of the newest runs that ended here and were not fetched yet."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def execute(self, serialized_spec: dict[str, Any]) -> dict[str, Any]:
        """Execute a spec inside its workflow. Returns a `PipelineResponse` in JSON form under `response`."""
        spec = RunSpec.model_validate(serialized_spec)
        run_id = spec.request.id
        events = RunEvents(self._events, await self._past_events(run_id))
        output = self._logs.writer()
        cancellation = self.running[run_id] = CancelToken()
        task = _current_task()
        self._tasks.add(task)
        token = otel_context.attach(propagate.extract(spec.trace))
        try:
            response = await self._run(spec, cancellation, events, output)
        finally:
            otel_context.detach(token)
            output.close()
            self._tasks.discard(task)
            del self.running[run_id]
        await self._events.flush()
        return {"response": response.model_dump(mode="json")}

    async def stop(self) -> tuple[str, ...]:
        """Stop the runs of this process and wait for their clean-up. The journal keeps them for the next process.

        Release the process lock only after this returns; otherwise two processes could act on the same containers.

        Returns:
            The ids of the unfinished runs.
        """
        unfinished, tasks = tuple(self.running), set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_TIMEOUT)
        return unfinished

    async def _run(
        self, spec: RunSpec, cancellation: CancelToken, events: RunEvents, output: LogWriter
    ) -> PipelineResponse:
        listeners: list[Listener] = [events, output, *self._config.listeners]
        plan = self._find_plan(spec)
        if isinstance(plan, StageFailure):
            return _reject(spec, listeners, plan)
        moved = _moved_root(spec)
        if moved is not None:
            return _reject(spec, listeners, PATH_OUTSIDE_WORKSPACE(f"{moved} is a link now", roots=moved))
        timeout = spec.request.options.timeout or plan.timeout
        run = PipelineRun(
            plan=plan,
            request=spec.request,
            runtime=DurableRuntime(cancellation, spec.seed, interactive=spec.interactive),
            workspace=_workspace(spec),
            listeners=listeners,
            deadline=None if timeout is None else events.started_at + timeout,
        )
        if spec.rolls_back is None:
            response = await run.execute()
            key = concurrency_key(plan, spec) if response.status == "success" else None
            if key is not None:
                await anyio.to_thread.run_sync(self._owners.release, key, spec.pipeline)
        else:
            response = await self._roll_back(run, spec.rolls_back)
        self.artifacts[spec.request.id] = run.artifacts
        if len(self.artifacts) > _ARTIFACTS_KEPT:  # they may never be fetched, and the journal has them too
            del self.artifacts[next(iter(self.artifacts))]
        return response

    async def _roll_back(self, run: PipelineRun, run_id: str) -> PipelineResponse:
        response = await run.roll_back(await self._completed_steps(run.plan, run_id))
        began = response.fault is None or response.fault.code == ROLLBACK_INCOMPLETE.code
        if began:
            status = "rollback_incomplete" if response.fault else "rolled_back"
            await DBOS.update_workflow_attributes_async(run_id, {"rollback_status": status}, merge=True)
        return response

    async def _completed_steps(self, plan: Plan, run_id: str) -> list[tuple[Step, Any]]:
        steps = await self._queries.steps(run_id)
        return [
            (step, read_outcome(steps[f"run:{step.name}"], step.signature.output, step.name, replayed=True).output)
            for step in plan.steps()
            if can_be_rolled_back(step.name, steps)
        ]

    async def _past_events(self, run_id: str) -> Sequence[tuple[int, Event]]:
        if run_id in self.new_runs:
            self.new_runs.discard(run_id)
            return ()
        return await anyio.to_thread.run_sync(self._events.read_all, run_id)

    def _find_plan(self, spec: RunSpec) -> Plan | StageFailure:
        if spec.environment_id != self._config.environment_id:
            return RUN_ENVIRONMENT_MISMATCH("this process uses another engine, cluster or set of targets")
        try:
            plan = self._config.find(spec.pipeline)
        except ConfigurationError:
            plan = None
        if plan is None or stage_names(plan) != spec.plan:
            stages = ", ".join(spec.plan)
            return RUN_PLAN_CHANGED(f"this version has no pipeline {spec.pipeline!r} with the stages {stages}")
        return plan


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a running coroutine has a task
    return task


def _workspace(spec: RunSpec) -> Workspace:
    return Workspace([Path(root) for root in spec.roots])


def _moved_root(spec: RunSpec) -> str | None:
    """Return a folder of the run that a link has replaced since its start, and that would lead it somewhere else."""
    return next((root for root in spec.roots if str(Path(root).resolve()) != root), None)


def _reject(spec: RunSpec, listeners: Sequence[Listener], failure: StageFailure) -> PipelineResponse:
    run = PipelineRun(
        plan=Plan(spec.pipeline, "workflow", (), "", ()),
        request=spec.request,
        runtime=DurableRuntime(CancelToken(), {}),
        workspace=_workspace(spec),
        listeners=listeners,
    )
    return run.reject(failure.fault)
