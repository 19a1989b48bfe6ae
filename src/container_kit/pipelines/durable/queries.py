"""Reading runs from the journal and the event log, in any process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio.to_thread
from dbos import DBOS, WorkflowStatus

from container_kit.pipelines.durable.dbos_engine import WORKFLOW
from container_kit.pipelines.durable.event_log import EventLog
from container_kit.pipelines.durable.journal import RunSpec
from container_kit.pipelines.events import Event
from container_kit.pipelines.request import RUN_NOT_FOUND, PipelineResponse, run_not_found
from container_kit.pipelines.run_info import RunInfo, RunState
from container_kit.stages.contract.fault import FaultCode

RUN_RECOVERY_EXHAUSTED = FaultCode(
    "run.recovery_exhausted",
    means="The process that executed the run died several times. The run is not resumed automatically again.",
    hint="Find out in the stage's log what kills the process, fix it, then retry the run.",
)
RUN_NOT_ENDED = FaultCode(
    "run.not_ended",
    means="The run has not ended, so it cannot be retried or rolled back.",
    hint="The run is {status}: wait for its end, or cancel it first.",
)
RUN_NOT_WAITING = FaultCode(
    "run.not_waiting",
    means="The run does not await approval at this point.",
    hint="The run is {status}; get the run to see its current state.",
)

FAULTS = (RUN_NOT_FOUND, RUN_RECOVERY_EXHAUSTED, RUN_NOT_ENDED, RUN_NOT_WAITING)

_PAGE = 100
_DBOS_STATES: dict[RunState, list[str]] = {
    "queued": ["ENQUEUED", "DELAYED"],
    "running": ["PENDING"],
    "awaiting_approval": ["PENDING"],
}
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


def resolved_attribute(approval: str) -> str:
    """Return the attribute of a run that marks an approval point as resolved."""
    return f"resolved:{approval}"


class RunQueries:
    """Reads runs of the store that DBOS is launched on."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def list_runs(
        self,
        *,
        status: RunState | None = None,
        pipeline: str | None = None,
        principal: str | None = None,
        application: str | None = None,
        includes: Callable[[RunInfo], bool] = lambda _: True,
        limit: int = 50,
    ) -> list[RunInfo]:
        """Return the newest runs that match, newest first, without their stages.

        Args:
            status: The status of the runs.
            pipeline: The name of their pipeline.
            principal: Their caller.
            application: The name of their application, or of its folder.
            includes: Returns whether a run may be in the list.
            limit: How many runs at most.
        """
        matches: list[RunInfo] = []
        offset = 0
        while len(matches) < limit:
            page = await DBOS.list_workflows_async(
                status=_DBOS_STATES.get(status, _ENDED) if status else None,
                sort_desc=True,
                name=WORKFLOW,
                limit=_PAGE,
                offset=offset,
                load_input=False,
            )
            filters = {"status": status, "pipeline": pipeline, "principal": principal}
            matches += [
                run
                for run in await self._infos(page)
                if _matches(run, filters) and run.concerns(application) and includes(run)
            ]
            offset += len(page)
            if len(page) < _PAGE:
                break
        return matches[:limit]

    async def get(self, run_id: str) -> RunInfo:
        """Return one run, without its stages.

        Raises:
            StageFailure: `run.not_found`.
        """
        return (await self._infos([await self.workflow(run_id)]))[0]

    async def spec(self, run_id: str) -> RunSpec:
        """Return the spec of a run.

        Raises:
            StageFailure: `run.not_found`.
        """
        workflow = await self.workflow(run_id, load_input=True)
        assert workflow.input is not None  # noqa: S101 - it was loaded
        return RunSpec.model_validate(workflow.input["args"][0])

    async def steps(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the outcomes in a run's journal, by step id."""
        steps = await DBOS.list_workflow_steps_async(run_id)
        return {
            step["function_name"]: step["output"]
            for step in steps
            if step["function_name"].startswith(("run:", "undo:")) and isinstance(step["output"], dict)
        }

    async def workflow(self, run_id: str, *, load_input: bool = False) -> WorkflowStatus:
        """Return DBOS's record of a run.

        Raises:
            StageFailure: `run.not_found`.
        """
        workflows = await DBOS.list_workflows_async(workflow_ids=[run_id], load_input=load_input)
        if not workflows:
            raise run_not_found(run_id)
        return workflows[0]

    async def _infos(self, workflows: list[WorkflowStatus]) -> list[RunInfo]:
        latest = await anyio.to_thread.run_sync(self._log.latest, [workflow.workflow_id for workflow in workflows])
        ids = [run_id for run_id, event in latest.items() if event.kind.startswith("approval_")]
        questions = await anyio.to_thread.run_sync(self._log.open_questions, ids) if ids else {}
        return [
            _info(workflow, latest.get(workflow.workflow_id), questions.get(workflow.workflow_id, {}))
            for workflow in workflows
        ]


def _matches(run: RunInfo, filters: dict[str, str | None]) -> bool:
    return all(value is None or getattr(run, name) == value for name, value in filters.items())


def _info(workflow: WorkflowStatus, latest: Event | None, questions: dict[str, str]) -> RunInfo:
    attributes = workflow.attributes or {}
    questions = {name: text for name, text in questions.items() if resolved_attribute(name) not in attributes}
    response = None
    if isinstance(workflow.output, dict):
        response = PipelineResponse.model_validate(workflow.output["response"])
    return RunInfo(
        id=workflow.workflow_id,
        pipeline=attributes.get("pipeline", ""),
        status=_state(workflow, response, attributes, awaits_approval=bool(questions)),
        created=(workflow.created_at or 0) / 1000,
        updated=max((workflow.updated_at or 0) / 1000, latest.time if latest else 0.0),
        message=latest.message if latest else "",
        stage=latest.stage if latest else None,
        progress=latest.progress if latest else 0.0,
        principal=attributes.get("principal"),
        subject=attributes.get("subject", {}),
        roots=attributes.get("roots", ()),
        approval_digest=attributes.get("approval_digest", ""),
        retry_of=attributes.get("retry_of"),
        rolls_back=attributes.get("rolls_back"),
        recovery_attempts=attributes.get("recovery_attempts", 0),
        questions=questions,
        fault=response.fault if response else (latest.fault if latest and latest.kind == "run_finished" else None),
        response=response,
    )


def _state(
    workflow: WorkflowStatus, response: PipelineResponse | None, attributes: dict[str, Any], *, awaits_approval: bool
) -> RunState:
    if workflow.status in ("ENQUEUED", "DELAYED"):
        return "queued"
    if workflow.status == "PENDING":
        return "awaiting_approval" if awaits_approval else "running"
    if response is None:
        return "cancelled" if attributes.get("cancel") else "failed"
    state: RunState = attributes.get("rollback_status", response.status)
    return state
