"""Adoption: runs of a process that died are taken over, each by one other process, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from typing import Any

from dbos import DBOS, WorkflowStatus

from container_kit.pipelines.durable.dbos_engine import WORKFLOW, queue_of
from container_kit.pipelines.durable.process_locks import ProcessLocks
from container_kit.pipelines.durable.queries import RUN_PARKED
from container_kit.pipelines.events import Event
from container_kit.stages.contract.log import logger

_DROPPED_AFTER = 5.0
"""Seconds for which a run may stand in the journal before its own process carries it out."""


class Recovery:
    """Looks for runs whose owner is dead.

    Args:
        running: The runs that this process carries out.
        cap: How often one run is taken over; one that is unfinished after that is parked, for a person to look at.
        tell: Takes the event that says so.
        surroundings: Those of this process; runs of others are left to processes that share theirs.
    """

    def __init__(
        self, owners: ProcessLocks, running: Container[str], cap: int, tell: Callable[[Event], Any], surroundings: str
    ) -> None:
        self._owners = owners
        self._running = running
        self._cap = cap
        self._tell = tell
        self._surroundings = surroundings
        self._suspects: set[str] = set()

    async def look(self) -> list[str]:
        """Take over what can be; return the ids of the runs.

        A run of this very process that it does not carry out any more was dropped when the store failed it, for
        example with a full disk; it is taken up again like one of a dead process.
        """
        pending = await DBOS.list_workflows_async(status="PENDING", name=WORKFLOW, load_input=False, load_output=False)
        dropped = {workflow.workflow_id: workflow for workflow in pending if self._dropped(workflow)}
        # One that has just ended here may still be listed: only what is seen twice was dropped.
        adopted = [run for run in dropped if run in self._suspects and await self._adopt(dropped[run])]
        self._suspects = set(dropped)
        owners = {workflow.executor_id for workflow in pending} | self._owners.others()
        for owner in owners - {self._owners.me, None}:
            with self._owners.take_over(str(owner)) as dead:
                if dead:
                    adopted += await self._adopt_all(str(owner))
        return adopted

    async def leave(self, run_id: str) -> None:
        """Note that a run is left to others by a process that ends as it should: that is no death to be counted."""
        await DBOS.update_workflow_attributes_async(run_id, {"left": True}, merge=True)

    def _dropped(self, workflow: WorkflowStatus) -> bool:
        mine = workflow.executor_id == self._owners.me and workflow.workflow_id not in self._running
        return mine and time.time() - (workflow.updated_at or 0) / 1000 > _DROPPED_AFTER

    async def _adopt_all(self, owner: str) -> list[str]:
        orphans = await DBOS.list_workflows_async(
            status="PENDING", name=WORKFLOW, executor_id=owner, load_input=False, load_output=False
        )
        return [orphan.workflow_id for orphan in orphans if await self._adopt(orphan)]

    async def _adopt(self, orphan: WorkflowStatus) -> bool:
        run_id, attributes = orphan.workflow_id, orphan.attributes or {}
        if attributes.get("surroundings", "") != self._surroundings:
            return False
        adoptions = attributes.get("adoptions", 0) + (0 if attributes.get("left") else 1)
        if adoptions > self._cap:
            await self._park(orphan)
            return False
        await DBOS.update_workflow_attributes_async(run_id, {"adoptions": adoptions, "left": False}, merge=True)
        # A run that waits for its target's turn again keeps its place's rules only in its own queue.
        queue = queue_of(self._surroundings) if orphan.queue_partition_key else None
        await DBOS.resume_workflow_async(run_id, queue_name=queue)
        logger("container_kit.adoption").warning(
            "adopted a run that nobody carries out", run=run_id, owner=orphan.executor_id, adoptions=adoptions
        )
        return True

    async def _park(self, orphan: WorkflowStatus) -> None:
        await DBOS.cancel_workflow_async(orphan.workflow_id)
        fault = RUN_PARKED(f"the process that carried the run out died {self._cap + 1} times").fault
        self._tell(
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
        logger("container_kit.adoption").error("parked a run that keeps killing its process", run=orphan.workflow_id)
