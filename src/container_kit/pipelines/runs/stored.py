"""The durable backend, for runs that change something: they survive this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.to_thread
from pydantic import JsonValue

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.events import Event
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, run_not_found
from container_kit.pipelines.run_info import LogPart, RunInfo, RunState
from container_kit.pipelines.runs.client import Caller, RunDetached
from container_kit.pipelines.runs.follow import follow_run
from container_kit.pipelines.runs.lazy_store import LazyStore
from container_kit.pipelines.runs.scope import RunScope, digest_of, is_key_of, new_approval_key
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.stages.contract.fault import ConfigurationError, StageFailure
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.deploy.targets import Targets

if TYPE_CHECKING:
    from container_kit.pipelines.durable.service import DurableRuns

_CANCEL_TIMEOUT = 60.0
_POLLING = 0.05
_STATES_KEPT = 64


class StoredRuns:
    """The runs of a store. See `RunBackend` for the methods.

    Args:
        config: The store.
        workspace: The folders that runs may read.
        targets: The configured targets of this process.
        scope: The runs that this process may use; by default those of the workspace.
    """

    def __init__(
        self, config: DurableConfig, workspace: Workspace, targets: Targets = (), scope: RunScope | None = None
    ) -> None:
        self._scope = scope or RunScope(workspace.roots)
        self._find = config.find
        self._workspace = workspace
        self._store = LazyStore(config, targets)
        self._started: set[str] = set()
        self._states: OrderedDict[str, StageStates] = OrderedDict()

    @property
    def exists(self) -> bool:
        """Whether there may be runs to read."""
        return self._store.exists

    @property
    def executing_here(self) -> tuple[str, ...]:
        """The runs that this process executes, of all callers."""
        return () if self._store.opened is None else self._store.opened.executing_here

    def attach(self, group: anyio.abc.TaskGroup) -> None:
        """Open the store in a task group when it is needed."""
        self._store.attach(group)

    async def execute(self, plan: Plan, request: PipelineRequest, caller: Caller) -> PipelineResponse:
        """Start a run and follow it."""
        durable = await self._store.open()
        key = new_approval_key()
        run_id = await durable.start(
            request,
            self._workspace,
            principal=caller.principal,
            approval_digest=digest_of(key),
            is_operator=caller.is_operator,
            interactive=caller.interactive,
            metadata=caller.metadata,
        )
        return await self._follow(durable, run_id, caller, key)

    async def retry(
        self, run_id: str, caller: Caller, changes: Mapping[str, JsonValue], from_stage: str | None = None
    ) -> PipelineResponse:
        """Start a new run from the failed stage of another one, and follow it."""
        durable, _ = await self._authorize(run_id, caller.principal)
        key = new_approval_key()
        new_id = await durable.retry(
            run_id,
            changes,
            from_stage=from_stage,
            approval_digest=digest_of(key),
            is_operator=caller.is_operator,
            interactive=caller.interactive,
            metadata=caller.metadata,
        )
        return await self._follow(durable, new_id, caller, key)

    async def roll_back(self, run_id: str, caller: Caller) -> PipelineResponse:
        """Start a run that rolls back another one, and follow it."""
        durable, _ = await self._authorize(run_id, caller.principal)
        key = new_approval_key()
        new_id = await durable.roll_back(
            run_id,
            approval_digest=digest_of(key),
            is_operator=caller.is_operator,
            interactive=caller.interactive,
            metadata=caller.metadata,
        )
        return await self._follow(durable, new_id, caller, key)

    async def follow(self, run_id: str, caller: Caller, approval_key: str) -> PipelineResponse:
        """Pass the events and questions of a run to the caller that has their key, until the run ends.

        Raises:
            RunDetached: The run continues without the caller.
            StageFailure: `run.not_found`, also for another key.
        """
        durable, _ = await self._authorize(run_id, caller.principal, approval_key)
        return await self._follow(durable, run_id, caller, approval_key)

    async def _follow(self, durable: DurableRuns, run_id: str, caller: Caller, approval_key: str) -> PipelineResponse:
        self._started.add(run_id)
        try:
            if await follow_run(durable, run_id, caller):
                response = await durable.wait(run_id)
                self._started.discard(run_id)
                return response
        except anyio.get_cancelled_exc_class():
            if caller.cancels_run() and not self._store.closing.is_set():
                with anyio.move_on_after(_CANCEL_TIMEOUT, shield=True):
                    await durable.cancel(run_id)
                    await durable.wait(run_id)
                self._started.discard(run_id)
            else:
                self._detach(durable, run_id)
            raise
        except BaseException:
            self._started.discard(run_id)
            raise
        self._detach(durable, run_id)
        raise RunDetached(run_id, approval_key)

    async def get(self, run_id: str, principal: str | None) -> RunInfo:
        """Return one run with its stages."""
        return (await self.stage_states(run_id, principal))[0]

    async def summary(self, run_id: str, principal: str | None) -> RunInfo:
        """Return one run without its stages."""
        return (await self._authorize(run_id, principal))[1]

    async def stage_states(self, run_id: str, principal: str | None) -> tuple[RunInfo, StageStates]:
        """Return one run and the current states of its stages."""
        durable, run = await self._authorize(run_id, principal)
        states = await self._read_states(durable, run)
        stages = run.response.stages if run.response else states.results()
        return run.model_copy(update={"stages": stages}), states

    async def watch(
        self, run_id: str, principal: str | None, on_ready: Callable[[], None]
    ) -> AsyncIterator[str | None]:
        """Yield the stages that change from now on, None for the run itself, until the run has ended."""
        run, states = await self.stage_states(run_id, principal)
        on_ready()  # the events after `states.seq` follow
        if run.finished:
            return
        durable = await self._store.open()
        async for _, event in durable.events(run_id, states.seq):
            if event.kind != "run_finished":
                yield event.stage
        await durable.wait(run_id)  # the last event is written just before the run has ended
        yield None

    async def events(self, run_id: str, principal: str | None) -> AsyncIterator[Event]:
        """Yield a run's events from its start to its end, in whichever process it runs."""
        durable, _ = await self._authorize(run_id, principal)
        async for _, event in durable.events(run_id):
            yield event

    async def wait(self, run_id: str, principal: str | None) -> PipelineResponse:
        """Wait for a run's end and return its response with its artifacts."""
        durable, _ = await self._authorize(run_id, principal)
        return await durable.wait(run_id)

    async def artifacts(self, run_id: str, principal: str | None) -> Artifacts:
        """Return the artifacts of a run so far."""
        durable, _ = await self._authorize(run_id, principal)
        return await durable.artifacts(run_id)

    async def metadata(self, run_id: str, principal: str | None) -> Mapping[str, JsonValue]:
        """Return the data that the caller stored with a run."""
        durable, _ = await self._authorize(run_id, principal)
        return (await durable.queries.spec(run_id)).metadata

    async def log(
        self, run_id: str, principal: str | None, stage: str, first: int | None = None, count: int = 200
    ) -> LogPart:
        """Return lines of a stage's log."""
        durable, _ = await self._authorize(run_id, principal)
        return await anyio.to_thread.run_sync(lambda: durable.logs.read(run_id, stage, first=first, count=count))

    async def cancel(self, run_id: str, principal: str | None) -> RunInfo:
        """Cancel a run in any process."""
        durable, _ = await self._authorize(run_id, principal)
        await durable.cancel(run_id)
        return await self.get(run_id, principal)

    async def with_key(self, run_id: str, principal: str | None, approval_key: str) -> RunInfo:
        """Return one run without its stages, to a caller with the key of its questions.

        Raises:
            StageFailure: `run.not_found`, also for another key.
        """
        return (await self._authorize(run_id, principal, approval_key))[1]

    async def resolve_approval(
        self, run_id: str, principal: str | None, approval_key: str, approval: str, decision: ApprovalDecision
    ) -> None:
        """Resolve an approval point that a run waits at.

        Raises:
            StageFailure: `run.not_waiting` if the run does not wait at the point, `run.not_found` for another key.
        """
        durable, _ = await self._authorize(run_id, principal, approval_key)
        await durable.resolve_approval(run_id, decision, approval)

    async def list_runs(
        self,
        principal: str | None,
        status: RunState | None,
        pipeline: str | None,
        application: str | None,
        limit: int,
    ) -> list[RunInfo]:
        """Return the newest runs that match, newest first, without their stages."""
        queries = (await self._store.open()).queries
        includes = partial(self._scope.includes, principal=principal)
        return await queries.list_runs(
            status=status, pipeline=pipeline, application=application, includes=includes, limit=limit
        )

    async def stop(self) -> None:
        """Cancel the runs that were started here, and wait for their clean-up."""
        if not self._started:
            return
        durable = await self._store.open()
        for run_id in tuple(self._started):
            await durable.cancel(run_id)
        while self._started:  # noqa: ASYNC110 - rare and short
            await anyio.sleep(_POLLING)

    async def drain(self) -> None:
        """Wait until the runs that were started or are executed here have ended."""
        while self._started or self.executing_here:  # noqa: ASYNC110 - the runs may be in other processes
            await anyio.sleep(_POLLING)

    async def release(self) -> None:
        """Close the store. Unfinished runs stay in it for the next process."""
        await self._store.close()

    async def _authorize(
        self, run_id: str, principal: str | None, approval_key: str | None = None
    ) -> tuple[DurableRuns, RunInfo]:
        """Return a run that the principal may use here; with a key, one whose questions the key answers."""
        durable = await self._store.open()
        run = await durable.queries.get(run_id)
        if not self._scope.includes(run, principal) or (approval_key is not None and not is_key_of(run, approval_key)):
            raise run_not_found(run_id)
        return durable, run

    async def _read_states(self, durable: DurableRuns, run: RunInfo) -> StageStates:
        """Return the states of a run's stages. Reads only the events since the last call for the run."""
        states = self._states.pop(run.id, None) or self._initial_states(run)
        self._states[run.id] = states
        if len(self._states) > _STATES_KEPT:
            self._states.popitem(last=False)
        for seq, event in await durable.past_events(run.id, states.seq):
            if seq > states.seq:
                states.apply(event)
                states.seq = seq
        return states

    def _initial_states(self, run: RunInfo) -> StageStates:
        try:
            return StageStates.of(self._find(run.pipeline))
        except ConfigurationError:  # an old run of a pipeline that no longer exists
            return StageStates(stage.name for stage in (run.response.stages if run.response else ()))

    def _detach(self, durable: DurableRuns, run_id: str) -> None:
        if self._store.group is not None:
            self._store.group.start_soon(self._wait_for_end, durable, run_id)

    async def _wait_for_end(self, durable: DurableRuns, run_id: str) -> None:
        """Wait for a run without a caller, so that the process stays until the run has ended."""
        try:
            with suppress(StageFailure):  # the store is unavailable; later calls report it
                await durable.wait_for_end(run_id)
        finally:
            self._started.discard(run_id)
