"""Durable runs: start, follow, cancel, retry and roll back runs from any process on one store."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from dbos import DBOS, SetWorkflowAttributes, SetWorkflowID
from pydantic import BaseModel, JsonValue

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.durable import store
from container_kit.pipelines.durable.config import DurableConfig, Retention
from container_kit.pipelines.durable.enqueue import attributes, concurrency_key, enqueue, serialize_spec
from container_kit.pipelines.durable.journal import RunSpec, read_artifacts, seed_for_retry, stage_names
from container_kit.pipelines.durable.queries import RUN_NOT_ENDED, RUN_NOT_WAITING, RunQueries, resolved_attribute
from container_kit.pipelines.durable.stage_logs import StageLogs
from container_kit.pipelines.durable.worker import StoreSession
from container_kit.pipelines.events import Event
from container_kit.pipelines.plan import REQUEST_INVALID, Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, merge_input, new_run_id
from container_kit.pipelines.run_info import RunInfo
from container_kit.stages.contract.fault import Fault
from container_kit.stages.contract.workspace import Workspace

_END_POLLING = 0.01


class DurableRuns:
    """All runs on one store. A process can open one object at a time."""

    def __init__(self, config: DurableConfig) -> None:
        self._config = config
        self._handles: dict[str, Any] = {}
        self._session = StoreSession(config)

    @property
    def queries(self) -> RunQueries:
        """Reads the records of runs."""
        return self._session.queries

    @property
    def logs(self) -> StageLogs:
        """The raw output of stages."""
        return self._session.logs

    @property
    def executing_here(self) -> tuple[str, ...]:
        """The runs that this process executes."""
        return tuple(self._session.executor.running)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[DurableRuns]:
        """Keep the store open within the block.

        Raises:
            StageFailure: One of `store.FAULTS`.
        """
        try:
            async with anyio.create_task_group() as group:
                await group.start(self._session.run)
                try:
                    yield self
                finally:
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) > 1:
                raise
            raise errors.exceptions[0] from errors.exceptions[0].__cause__  # the caller knows nothing of the group

    async def start(
        self,
        request: PipelineRequest,
        workspace: Workspace,
        *,
        principal: str | None = None,
        approval_digest: str = "",
        priority: int | None = None,
        is_operator: bool = True,
        interactive: bool = True,
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> str:
        """Start a run and return its id. The run is in the journal when this returns.

        Args:
            request: The pipeline and its input.
            workspace: The folders that the run may read.
            principal: The caller, if callers are authenticated.
            approval_digest: The digest of the key that answers to the run's questions need.
            priority: Among runs with one concurrency key, 1 is the most urgent; None comes first. There is no order
                between keys, so that none starves.
            is_operator: Whether the caller may change the deployments of other principals.
            interactive: Whether a person can decide at approval points.
            metadata: Data of the caller, stored with the run.

        Raises:
            StageFailure: `request.invalid`, or a fault of the store.
        """
        plan = self._config.find(request.type)
        spec = RunSpec(
            pipeline=request.type,
            request=request,
            roots=tuple(str(root) for root in workspace.roots),
            plan=stage_names(plan),
            principal=principal,
            approval_digest=approval_digest,
            interactive=interactive,
            metadata=dict(metadata or {}),
        )
        return await self._submit(plan, spec, priority, is_operator=is_operator)

    async def wait(self, run_id: str) -> PipelineResponse:
        """Wait for a run's end and return its response with its artifacts.

        Raises:
            StageFailure: `run.not_found`, or a fault of the store; the run is then resumed when the store is available.
        """
        response = await self.wait_for_end(run_id)
        return response.with_artifacts(await self.artifacts(run_id))

    async def wait_for_end(self, run_id: str) -> PipelineResponse:
        """Wait for a run's end and return its response without its artifacts.

        Raises:
            StageFailure: As `wait`.
        """
        handle = self._handles.pop(run_id, None)
        if handle is not None:
            with store.translate_errors(self._config.url):
                result = await handle.get_result()
            return PipelineResponse.model_validate(result["response"])
        async for _ in self.events(run_id):
            pass
        while True:  # the last event is written just before the workflow ends
            run = await self.queries.get(run_id)
            if run.response is not None:
                return run.response
            if run.finished:
                return _synthesize_response(run)
            await anyio.sleep(_END_POLLING)

    async def artifacts(self, run_id: str) -> Artifacts:
        """Return the artifacts of a run so far.

        Raises:
            StageFailure: `run.not_found`.
        """
        in_memory = self._session.executor.artifacts.pop(run_id, None)
        if in_memory is not None:
            return in_memory
        spec = await self.queries.spec(run_id)
        return read_artifacts(self._config.find(spec.pipeline), spec.request, await self._outcomes(spec))

    async def events(self, run_id: str, after: int = 0) -> AsyncIterator[tuple[int, Event]]:
        """Yield a run's events with their sequence numbers, from the one after `after` to the last one.

        Raises:
            StageFailure: `run.not_found`.
        """
        await self.queries.workflow(run_id)
        async for numbered in self._session.events.follow(run_id, after):
            yield numbered

    async def past_events(self, run_id: str, after: int = 0) -> Sequence[tuple[int, Event]]:
        """Return the events of a run so far with their sequence numbers, from the one after `after`."""
        return await anyio.to_thread.run_sync(self._session.events.read_all, run_id, after)

    async def cancel(self, run_id: str) -> RunInfo:
        """Cancel a run in any process; an atomic run is rolled back. A run that has ended does not change.

        Raises:
            StageFailure: `run.not_found`.
        """
        run = await self.queries.get(run_id)
        if run.finished:
            return run
        await DBOS.update_workflow_attributes_async(run_id, {"cancel": True}, merge=True)
        if run.status == "queued":
            await DBOS.cancel_workflow_async(run_id)
            self._append_cancellation(run)
        elif run_id in self._session.executor.running:
            self._session.executor.running[run_id].request()
        for approval in run.questions:
            await self.resolve_approval(run_id, ApprovalDecision(approved=False, cancelled=True), approval)
        return await self.queries.get(run_id)

    async def resolve_approval(self, run_id: str, decision: ApprovalDecision, approval: str | None = None) -> None:
        """Resolve an approval point that a run waits at.

        Args:
            run_id: The run.
            decision: The decision of a person.
            approval: The approval point; by default the first open one.

        Raises:
            StageFailure: `run.not_found`, or `run.not_waiting` if the run does not wait at the point.
        """
        run = await self.queries.get(run_id)
        point = approval or next(iter(run.questions), None)
        if point not in run.questions:
            raise RUN_NOT_WAITING(f"run {run_id} is {run.status} and awaits no approval", status=run.status)
        await DBOS.send_async(run_id, decision.model_dump(mode="json"), point)
        await DBOS.update_workflow_attributes_async(run_id, {resolved_attribute(point): True}, merge=True)

    async def retry(
        self,
        run_id: str,
        changes: Mapping[str, JsonValue] | None = None,
        *,
        from_stage: str | None = None,
        approval_digest: str = "",
        is_operator: bool = True,
        interactive: bool = True,
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> str:
        """Start a new run from the failed stage of another one, and return its id. Valid outcomes are reused.

        Args:
            run_id: The run to retry.
            changes: Fields of the input with new values. Stages that depend on them are executed again.
            from_stage: A stage to start from although it succeeded; by default the failed one.
            approval_digest: As in `start`.
            is_operator: As in `start`.
            interactive: As in `start`.
            metadata: As in `start`.

        Raises:
            StageFailure: `run.not_found`, `run.not_ended`, `request.invalid`.
        """
        spec = await self._ended_spec(run_id)
        if spec.rolls_back and changes:  # the changes would decide which approvals the rollback needs
            raise REQUEST_INVALID(f"run {run_id} rolls back another run, so its input cannot change", fields="input")
        plan = self._config.find(spec.pipeline)
        old = spec.request
        request = old.model_copy(update={"id": new_run_id(), "input": merge_input(old.input, changes or {})})
        before, after = plan.parse_input(old), plan.parse_input(request)
        changed: list[type[BaseModel]] = [type(new) for was, new in zip(before, after, strict=True) if was != new]
        update = {
            "request": request,
            "plan": stage_names(plan),
            "seed": seed_for_retry(plan, await self._outcomes(spec), changed, from_stage),
            "retry_of": run_id,
            "approval_digest": approval_digest,
            "interactive": interactive,
            "metadata": dict(metadata or {}),
        }
        return await self._submit(plan, spec.model_copy(update=update), None, is_operator=is_operator)

    async def roll_back(
        self,
        run_id: str,
        *,
        approval_digest: str = "",
        is_operator: bool = True,
        interactive: bool = True,
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> str:
        """Start a run that rolls back the stages of another one that has ended, and return its id.

        Args:
            run_id: The run to roll back.
            approval_digest: As in `start`.
            is_operator: As in `start`.
            interactive: As in `start`.
            metadata: As in `start`.

        Raises:
            StageFailure: `run.not_found`, `run.not_ended`.
        """
        spec = await self._ended_spec(run_id)
        update = {
            "request": spec.request.model_copy(update={"id": new_run_id()}),
            "rolls_back": run_id,
            "seed": {},
            "approval_digest": approval_digest,
            "interactive": interactive,
            "metadata": dict(metadata or {}),
        }
        plan = self._config.find(spec.pipeline)
        return await self._submit(plan, spec.model_copy(update=update), None, is_operator=is_operator)

    async def prune(self, retention: Retention) -> list[str]:
        """Delete runs that ended, with their events, their logs and what they left on the engine; return their ids."""
        return await self._session.prune(retention)

    async def _submit(self, plan: Plan, spec: RunSpec, priority: int | None, *, is_operator: bool) -> str:
        spec = spec.model_copy(update={"environment_id": self._config.environment_id})
        run_id = spec.request.id
        key = concurrency_key(plan, spec)
        with store.translate_errors(self._config.url):
            if key is not None:
                owners = self._session.owners
                await owners.check(key, spec.pipeline, spec.principal, is_operator=is_operator)
            if self._config.role != "local" or key is not None:
                await enqueue(plan, spec, key, priority)
                return run_id
            self._session.executor.new_runs.add(run_id)
            with SetWorkflowID(run_id), SetWorkflowAttributes(attributes(plan, spec)):
                handle = await DBOS.start_workflow_async(self._session.workflow, serialize_spec(spec))
            self._handles[run_id] = handle
        return run_id

    async def _ended_spec(self, run_id: str) -> RunSpec:
        run = await self.queries.get(run_id)
        if not run.finished:
            raise RUN_NOT_ENDED(f"run {run_id} is {run.status}", status=run.status)
        return await self.queries.spec(run_id)

    async def _outcomes(self, spec: RunSpec) -> dict[str, Any]:
        """Return the outcomes of a run's steps, including those that it reuses."""
        return {**spec.seed, **await self.queries.steps(spec.request.id)}

    def _append_cancellation(self, run: RunInfo) -> None:
        self._session.append_event(
            Event(
                kind="run_finished",
                run_id=run.id,
                pipeline=run.pipeline,
                time=time.time(),
                progress=1.0,
                message=f"{run.pipeline}: cancelled before it began",
                status="cancelled",
            )
        )


def _synthesize_response(run: RunInfo) -> PipelineResponse:
    """Return the response of a run that ended without one."""
    fault = run.fault or Fault(code="run.cancelled", message=run.message)
    status: Any = "cancelled" if run.status == "cancelled" else "failed"
    return PipelineResponse(id=run.id, pipeline=run.pipeline, status=status, stages=(), seconds=0.0, fault=fault)
