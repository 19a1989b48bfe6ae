"""The run service: starts runs in the right backend, and finds the backend of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio

from container_kit.pipelines import catalog
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.events import Listener
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, run_not_found
from container_kit.pipelines.run_info import RunInfo, RunState
from container_kit.pipelines.runs.backend import RunBackend
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.memory import MemoryRuns
from container_kit.pipelines.runs.scope import RunScope
from container_kit.pipelines.runs.stored import StoredRuns
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.deploy.targets import Targets

_ID = re.compile(r"[!-~]{1,128}")
"""Any id in a store: printable ASCII, which every database accepts."""


class RunService:
    """All runs, in memory and in the store. A caller sees only its own runs in this workspace.

    Args:
        workspace: The folders that runs may read.
        store: Where runs that change something are stored; None keeps them in memory too.
        listeners: Receive the events of all runs that this process executes.
        find: Returns the plan with a name; by default from the catalog.
        targets: The configured targets, in addition to the local engine.
        all_workspaces: Whether the caller may use the runs of other workspaces too, as a person at the terminal may.
    """

    def __init__(
        self,
        workspace: Workspace,
        store: DurableConfig | None = None,
        *,
        listeners: Sequence[Listener] = (),
        find: Callable[[str], Plan] = catalog.plan,
        targets: Targets = (),
        all_workspaces: bool = False,
    ) -> None:
        self.workspace = workspace
        self.targets = targets
        self.find = find
        self._memory = MemoryRuns(workspace, listeners)
        self._stored: StoredRuns | None = None
        if store is not None:
            scope = RunScope(None if all_workspaces else workspace.roots)
            self._stored = StoredRuns(replace(store, find=find, listeners=listeners), workspace, targets, scope)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[RunService]:
        """Allow the store to be opened within the block."""
        async with anyio.create_task_group() as group:
            if self._stored is not None:
                self._stored.attach(group)
            try:
                yield self
            finally:
                group.cancel_scope.cancel()

    def backend(self, run_id: str) -> RunBackend:
        """Return the backend of a run.

        Raises:
            StageFailure: `run.not_found`.
        """
        return self._memory if run_id in self._memory else self.stored(run_id)

    def stored(self, run_id: str) -> StoredRuns:
        """Return the durable backend for a run that it may have.

        Raises:
            StageFailure: `run.not_found`.
        """
        if self._stored is None or not self._stored.exists or not _ID.fullmatch(run_id):
            raise run_not_found(run_id)
        return self._stored

    async def execute(self, request: PipelineRequest, caller: Caller) -> PipelineResponse:
        """Execute a run and wait for its end. See `RunBackend.execute`.

        Raises:
            RunDetached: The run continues without the caller.
            ConfigurationError: There is no such pipeline.
            StageFailure: `request.invalid`, or a fault of the store.
        """
        plan = self.find(request.type)
        in_memory = self._stored is None or request.options.dry_run or plan.read_only
        backend: RunBackend = self._memory if in_memory or self._stored is None else self._stored
        return await backend.execute(plan, request, caller)

    async def list_runs(
        self,
        *,
        principal: str | None = None,
        status: RunState | None = None,
        pipeline: str | None = None,
        application: str | None = None,
        limit: int = 20,
    ) -> list[RunInfo]:
        """Return the newest runs that match, newest first, without their stages."""
        runs = await self._memory.list_runs(principal, status, pipeline, application, limit)
        if self._stored is not None and self._stored.exists:
            runs += await self._stored.list_runs(principal, status, pipeline, application, limit)
        return sorted(runs, key=lambda run: run.created, reverse=True)[:limit]

    @property
    def executing_here(self) -> tuple[str, ...]:
        """The stored runs that this process executes, of all callers."""
        return () if self._stored is None else self._stored.executing_here

    async def stop(self, timeout: float) -> None:
        """Cancel the runs that were started here, and wait at most `timeout` seconds for their clean-up."""
        with anyio.move_on_after(timeout):
            async with anyio.create_task_group() as group:
                for backend in self._backends():
                    group.start_soon(backend.stop)

    async def release(self, timeout: float) -> None:
        """Cancel the runs in memory and close the store; its runs stay as they are, for the next process."""
        with anyio.move_on_after(timeout):
            for backend in self._backends():
                await backend.release()

    async def drain(self) -> None:
        """Wait until this process executes no stored run."""
        if self._stored is not None:
            await self._stored.drain()

    def _backends(self) -> list[RunBackend]:
        return [self._memory] if self._stored is None else [self._memory, self._stored]
