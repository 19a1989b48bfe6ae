"""Recovery: a process resumes the runs of a process that died, each run a limited number of times."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Any

from dbos import DBOS, WorkflowStatus

from container_kit.pipelines.durable.dbos_engine import WORKFLOW, queue_name
from container_kit.pipelines.durable.process_locks import ProcessLocks
from container_kit.pipelines.durable.queries import RUN_RECOVERY_EXHAUSTED
from container_kit.pipelines.events import Event
from container_kit.stages.contract.log import logger

_LOST_AFTER = 5.0
"""Seconds for which a run may be in the journal before its process executes it."""


class Recovery:
    """Finds and resumes runs that no process executes.

    Args:
        running: The runs that this process executes.
        max_attempts: How often one run is resumed. After that it fails with `run.recovery_exhausted`.
        append_event: Appends the last event of such a run.
        environment_id: The id of this process. Runs with other ids are left to other processes.
    """

    def __init__(
        self,
        locks: ProcessLocks,
        running: Container[str],
        max_attempts: int,
        append_event: Callable[[Event], Any],
        environment_id: str,
    ) -> None:
        self._locks = locks
        self._running = running
        self._max_attempts = max_attempts
        self._append_event = append_event
        self._environment_id = environment_id
        self._suspects: set[str] = set()

    async def recover(self) -> list[str]:
        """Resume runs without a process, and return their ids.

        A run of this process that it does not execute was lost when the store failed, for example with a full disk.
        It is resumed like a run of a dead process.
        """
        pending = await DBOS.list_workflows_async(status="PENDING", name=WORKFLOW, load_input=False, load_output=False)
        lost = {workflow.workflow_id: workflow for workflow in pending if self._is_lost(workflow)}
        # A run that has just ended may still be listed, so a run is lost only if two passes see it.
        recovered = [run for run in lost if run in self._suspects and await self._resume(lost[run])]
        self._suspects = set(lost)
        executors = {workflow.executor_id for workflow in pending} | self._locks.leftovers()
        for executor in executors - {self._locks.executor_id, None}:
            with self._locks.probe(str(executor)) as dead:
                if dead:
                    recovered += await self._resume_all(str(executor))
        return recovered

    async def release(self, run_id: str) -> None:
        """Mark a run as released by a clean shutdown, so that its recovery is not counted as a crash."""
        await DBOS.update_workflow_attributes_async(run_id, {"released": True}, merge=True)

    def _is_lost(self, workflow: WorkflowStatus) -> bool:
        if workflow.executor_id != self._locks.executor_id or workflow.workflow_id in self._running:
            return False
        return time.time() - (workflow.updated_at or 0) / 1000 > _LOST_AFTER

    async def _resume_all(self, executor_id: str) -> list[str]:
        orphans = await DBOS.list_workflows_async(
            status="PENDING", name=WORKFLOW, executor_id=executor_id, load_input=False, load_output=False
        )
        return [orphan.workflow_id for orphan in orphans if await self._resume(orphan)]

    async def _resume(self, orphan: WorkflowStatus) -> bool:
        run_id, attributes = orphan.workflow_id, orphan.attributes or {}
        if attributes.get("environment_id", "") != self._environment_id:
            return False
        attempts = attributes.get("recovery_attempts", 0) + (0 if attributes.get("released") else 1)
        if attempts > self._max_attempts:
            await self._give_up(orphan)
            return False
        changes = {"recovery_attempts": attempts, "released": False}
        await DBOS.update_workflow_attributes_async(run_id, changes, merge=True)
        # Only in its own queue does a run with a concurrency key wait for the others with that key.
        queue = queue_name(self._environment_id) if orphan.queue_partition_key else None
        await DBOS.resume_workflow_async(run_id, queue_name=queue)
        logger("container_kit.recovery").warning(
            "resumed a run without a process", run=run_id, executor=orphan.executor_id, attempts=attempts
        )
        return True

    async def _give_up(self, orphan: WorkflowStatus) -> None:
        await DBOS.cancel_workflow_async(orphan.workflow_id)
        fault = RUN_RECOVERY_EXHAUSTED(f"the process of the run died {self._max_attempts + 1} times").fault
        self._append_event(
            Event(
                kind="run_finished",
                run_id=orphan.workflow_id,
                pipeline=(orphan.attributes or {}).get("pipeline", ""),
                time=time.time(),
                progress=1.0,
                message=fault.message,
                fault=fault,
                status="failed",
            )
        )
        logger("container_kit.recovery").error("gave up a run whose process keeps dying", run=orphan.workflow_id)
