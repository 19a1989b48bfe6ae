"""History: what is known of runs, read from the journal and the event log by any process."""

from __future__ import annotations

from typing import Any, Literal

import anyio.to_thread
import sqlalchemy as sa
from dbos import DBOS, WorkflowStatus
from pydantic import Field

from container_kit.pipelines.durable.dbos_engine import WORKFLOW
from container_kit.pipelines.durable.event_log import EventLog
from container_kit.pipelines.durable.journal import RunSpec
from container_kit.pipelines.durable.store import events_table
from container_kit.pipelines.events import Event
from container_kit.pipelines.observability.metrics import MetricsSnapshot
from container_kit.pipelines.request import RUN_UNKNOWN, PipelineResponse, unknown_run
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault, FaultCode

RunState = Literal[
    "queued", "running", "waiting", "success", "failed", "rolled_back", "rollback_incomplete", "cancelled"
]

UNENDED: tuple[RunState, ...] = ("queued", "running", "waiting")

RUN_PARKED = FaultCode(
    "run.recovery_exhausted",
    means="The process that carried the run out died several times; it is not tried again by itself.",
    hint="Find out in the stage's log what ends the process, mend it, then retry the run.",
)
RUN_NOT_ENDED = FaultCode(
    "run.not_ended",
    means="The run has not ended, so it can be neither retried nor rolled back.",
    hint="It is {status}: wait for its end, or cancel it first.",
)
RUN_NOT_WAITING = FaultCode(
    "run.not_waiting",
    means="The run asks nothing that could be answered.",
    hint="It is {status}; look at the run to see how it stands.",
)

FAULTS = (RUN_UNKNOWN, RUN_PARKED, RUN_NOT_ENDED, RUN_NOT_WAITING)

_P95_SAMPLE = 1000
_PAGE = 100
_DBOS_STATES: dict[RunState, list[str]] = {
    "queued": ["ENQUEUED", "DELAYED"],
    "running": ["PENDING"],
    "waiting": ["PENDING"],
}
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


def answered_at(approval: str) -> str:
    """The attribute of a run that says that an approval point was answered."""
    return f"answered:{approval}"


class RunRecord(Artifact):
    """One run, as it stands."""

    id: str
    pipeline: str
    status: RunState
    created: float
    """Seconds since the epoch."""
    updated: float
    message: str = ""
    """The newest line that the run told."""
    stage: str | None = None
    progress: float = 0.0
    principal: str | None = None
    retry_of: str | None = None
    rolls_back: str | None = None
    adoptions: int = 0
    """How often another process took it over from one that had died."""
    questions: dict[str, str] = Field(default_factory=dict)
    """What is asked while the run waits, by approval point; what was answered is not in it."""
    fault: Fault | None = None
    """Why it did not succeed."""
    response: PipelineResponse | None = None
    """How it ended; None while it has not, and where nobody could carry it to an end."""

    @property
    def question(self) -> str | None:
        """The first question that waits."""
        return next(iter(self.questions.values()), None)


class RunQueries:
    """Reads runs.

    Args:
        engine: The store.
    """

    def __init__(self, engine: sa.Engine, log: EventLog) -> None:
        self._engine = engine
        self._log = log

    async def runs(
        self,
        *,
        status: RunState | None = None,
        pipeline: str | None = None,
        principal: str | None = None,
        limit: int = 50,
    ) -> list[RunRecord]:
        """The newest runs that fit, newest first."""
        found: list[RunRecord] = []
        offset = 0
        while len(found) < limit:
            page = await DBOS.list_workflows_async(
                status=_DBOS_STATES.get(status, _ENDED) if status else None,
                sort_desc=True,
                name=WORKFLOW,
                limit=_PAGE,
                offset=offset,
                load_input=False,
            )
            records = await self._records(page)
            found += [record for record in records if _fits(record, status, pipeline, principal)]
            offset += len(page)
            if len(page) < _PAGE:
                break
        return found[:limit]

    async def get(self, run_id: str) -> RunRecord:
        """One run.

        Raises:
            StageFailure: `run.unknown`.
        """
        return (await self._records([await self.workflow(run_id)]))[0]

    async def spec(self, run_id: str) -> RunSpec:
        """What a run was asked to do.

        Raises:
            StageFailure: `run.unknown`.
        """
        workflow = await self.workflow(run_id, load_input=True)
        assert workflow.input is not None  # noqa: S101 - it was loaded
        return RunSpec.model_validate(workflow.input["args"][0])

    async def steps(self, run_id: str) -> dict[str, dict[str, Any]]:
        """The envelopes in a run's journal, by step id."""
        steps = await DBOS.list_workflow_steps_async(run_id)
        return {
            step["function_name"]: step["output"]
            for step in steps
            if step["function_name"].startswith(("run:", "undo:")) and isinstance(step["output"], dict)
        }

    async def workflow(self, run_id: str, *, load_input: bool = False) -> WorkflowStatus:
        """DBOS's own record of a run.

        Raises:
            StageFailure: `run.unknown`.
        """
        found = await DBOS.list_workflows_async(workflow_ids=[run_id], load_input=load_input)
        if not found:
            raise unknown_run(run_id)
        return found[0]

    def metrics(self, pipeline: str, stage: str | None = None) -> MetricsSnapshot:
        """Figures from the journal, so that they survive a restart; blocking."""
        table = events_table
        kinds = ("run_finished",) if stage is None else ("stage_succeeded", "stage_failed")
        mine = [table.c.pipeline == pipeline, table.c.stage.is_(None) if stage is None else table.c.stage == stage]
        good = table.c.status == "success" if stage is None else table.c.kind == "stage_succeeded"
        counts = sa.select(sa.func.count(), sa.func.sum(sa.case((good, 1), else_=0))).where(
            table.c.kind.in_(kinds), *mine
        )
        retries = sa.select(sa.func.count()).where(
            table.c.kind == "stage_retrying",
            table.c.pipeline == pipeline,
            *([] if stage is None else [table.c.stage == stage]),
        )
        recent = sa.select(table.c.seconds).where(table.c.kind.in_(kinds), *mine)
        with self._engine.connect() as connection:
            total, successes = connection.execute(counts).one()
            latencies = connection.scalars(recent.order_by(table.c.time.desc()).limit(_P95_SAMPLE)).all()
            return MetricsSnapshot.of(
                total=total, successes=successes or 0, retries=connection.scalar(retries) or 0, latencies=latencies
            )

    async def _records(self, workflows: list[WorkflowStatus]) -> list[RunRecord]:
        last = await anyio.to_thread.run_sync(self._log.last, [workflow.workflow_id for workflow in workflows])
        asking = [run_id for run_id, event in last.items() if event.kind.startswith("approval_")]
        asked = await anyio.to_thread.run_sync(self._log.questions, asking) if asking else {}
        return [
            _record(workflow, last.get(workflow.workflow_id), asked.get(workflow.workflow_id, {}))
            for workflow in workflows
        ]


def _fits(record: RunRecord, status: RunState | None, pipeline: str | None, principal: str | None) -> bool:
    wanted = ((status, record.status), (pipeline, record.pipeline), (principal, record.principal))
    return all(want in (None, has) for want, has in wanted)


def _record(workflow: WorkflowStatus, last: Event | None, asked: dict[str, str]) -> RunRecord:
    attributes = workflow.attributes or {}
    questions = {name: question for name, question in asked.items() if answered_at(name) not in attributes}
    response = None
    if isinstance(workflow.output, dict):
        response = PipelineResponse.model_validate(workflow.output["response"])
    return RunRecord(
        id=workflow.workflow_id,
        pipeline=attributes.get("pipeline", ""),
        status=_state(workflow, response, attributes, waiting=bool(questions)),
        created=(workflow.created_at or 0) / 1000,
        updated=max((workflow.updated_at or 0) / 1000, last.time if last else 0.0),
        message=last.message if last else "",
        stage=last.stage if last else None,
        progress=last.progress if last else 0.0,
        principal=attributes.get("principal"),
        retry_of=attributes.get("retry_of"),
        rolls_back=attributes.get("rolls_back"),
        adoptions=attributes.get("adoptions", 0),
        questions=questions,
        fault=response.fault if response else (last.fault if last and last.kind == "run_finished" else None),
        response=response,
    )


def _state(
    workflow: WorkflowStatus, response: PipelineResponse | None, attributes: dict[str, Any], *, waiting: bool
) -> RunState:
    if workflow.status in ("ENQUEUED", "DELAYED"):
        return "queued"
    if workflow.status == "PENDING":
        return "waiting" if waiting else "running"
    if response is None:
        return "cancelled" if attributes.get("cancel") else "failed"
    state: RunState = attributes.get("undone", response.status)
    return state
