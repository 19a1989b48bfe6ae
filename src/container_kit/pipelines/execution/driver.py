"""The driver: the only place that decides order, conditions, parallel groups and rollback.

It is deterministic: its next step depends only on the plan, the request and the outcomes of earlier steps. The stage
runner handles attempts, deadlines and cancellation within a step; the runtime keeps the outcomes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from pydantic import BaseModel

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Listener
from container_kit.pipelines.execution.approvals import ApprovalGate
from container_kit.pipelines.execution.event_emitter import EventEmitter
from container_kit.pipelines.execution.runtime import CancelToken, Runtime, StepCall, StepOutcome
from container_kit.pipelines.execution.stage_runner import RUN_CANCELLED, StageRunner
from container_kit.pipelines.observability.tracing import current_trace_id, record_fault, span
from container_kit.pipelines.plan import Plan, Step
from container_kit.pipelines.request import PipelineRequest, PipelineResponse, RunStatus, StageResult, StageStatus
from container_kit.stages.contract.fault import Evidence, Fault, FaultCode, Resume, StageFailure
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import Stage
from container_kit.stages.contract.workspace import Workspace

PIPELINE_CONDITION_FAILED = FaultCode(
    "pipeline.condition_failed",
    means="The condition of a conditional stage raised an exception.",
    hint="Correct the `when` of the stage; it may use only artifacts of earlier stages.",
)
ROLLBACK_INCOMPLETE = FaultCode(
    "rollback.incomplete",
    means="Some stages could not be rolled back.",
    hint="Rolled back: {undone}. Fix the causes in the faults of the other stages, then roll back again.",
)


@dataclass
class PipelineRun:
    """The execution of one run.

    Args:
        deadline: Seconds since the epoch; None for a run without a deadline.
    """

    plan: Plan
    request: PipelineRequest
    runtime: Runtime
    workspace: Workspace
    listeners: Sequence[Listener] = ()
    deadline: float | None = None
    artifacts: Artifacts = field(default_factory=Artifacts)
    results: dict[str, StageResult] = field(default_factory=dict)
    _completed: list[tuple[Step, BaseModel | None]] = field(default_factory=list)
    _leftovers: list[tuple[Step, BaseModel | None]] = field(default_factory=list)
    """The failed steps that could not undo their changes, with their outputs."""
    _running: set[str] = field(default_factory=set)
    _rollback_faults: dict[str, Fault] = field(default_factory=dict)
    """The faults of stages that could not be rolled back, by stage."""

    def __post_init__(self) -> None:
        steps = list(self.plan.steps())
        self.results = {step.name: StageResult(name=step.name, status="not_run") for step in steps}
        self.dry_run = self.request.options.dry_run
        self.redact = Redactor()
        self.events = EventEmitter(self.request.id, self.plan.name, len(steps), self.redact, self.listeners)
        self.stages = StageRunner(
            run_id=self.request.id,
            plan=self.plan,
            dry_run=self.dry_run,
            workspace=self.workspace,
            redact=self.redact,
            events=self.events,
            deadline=self.deadline,
            timeout=self.request.options.timeout or self.plan.timeout,
        )
        self.approvals = ApprovalGate(
            self.request.id,
            self.plan,
            self.runtime,
            self.events,
            self.redact,
            self.deadline,
            dry_run=self.dry_run,
        )
        self._started = time.perf_counter()

    async def execute(self) -> PipelineResponse:
        """Execute the run. A failure is a response, never an exception."""
        with span(f"pipeline {self.plan.name}", run_id=self.request.id, pipeline=self.plan.name) as opened:
            self.events.emit("run_started", message=self.plan.name)
            fault = await self._run_groups()
            if fault is not None:
                fault = await self._unwind(fault)
                record_fault(opened, fault)
            return self._response(fault)

    async def roll_back(self, completed: Sequence[tuple[Step, BaseModel | None]]) -> PipelineResponse:
        """Roll back the completed stages of a run that has ended, the last one first.

        Args:
            completed: The completed steps in order, with their outputs.
        """
        self.events.emit("run_started", message=f"rolling back {self.plan.name}")
        fault = await self._approve_rollback(completed)
        if fault is not None:
            return self._response(fault)
        self._completed = list(completed)
        undone = await self._roll_back_all(self._completed)
        fault = None
        if self._rollback_faults:
            reasons = [
                Evidence(kind="condition", text=f"{fault.code}: {fault.message}", where=stage)
                for stage, fault in self._rollback_faults.items()
            ]
            details = [item for fault in self._rollback_faults.values() for item in fault.evidence]
            fault = ROLLBACK_INCOMPLETE(
                f"could not be rolled back: {', '.join(self._rollback_faults)}",
                evidence=[*reasons, *details],
                undone=", ".join(undone) or "nothing",
            ).fault
        return self._response(fault)

    def reject(self, fault: Fault) -> PipelineResponse:
        """End the run before its first stage."""
        self.events.emit("run_started", message=self.plan.name)
        return self._response(fault)

    async def unwind(self) -> None:
        """End a run after its caller disconnected. Call it shielded from cancellation."""
        for name in self._running:
            self.results[name] = StageResult(name=name, status="cancelled")
        stopped = min(self._running, default=None)
        self._response(await self._unwind(_cancelled("the caller disconnected", stopped)))

    async def _run_groups(self) -> Fault | None:
        try:
            inputs = self.plan.parse_input(self.request)
        except StageFailure as failure:
            return failure.fault
        self._add_secrets(inputs)
        for artifact in inputs:
            self.artifacts.add(artifact)
        for number, group in enumerate(self.plan.groups):
            fault = await self.approvals.check(number, self.artifacts) or await self._run_group(group)
            if fault is not None:
                return fault
        return await self.approvals.check(len(self.plan.groups), self.artifacts)

    async def _approve_rollback(self, completed: Sequence[tuple[Step, BaseModel | None]]) -> Fault | None:
        """Request the approvals that the completed stages needed again, for their rollback."""
        try:
            inputs = self.plan.parse_input(self.request)
        except StageFailure as failure:
            return failure.fault
        for artifact in (*inputs, *(output for _, output in completed if output is not None)):
            self.artifacts.add(artifact)
        names = {step.name for step, _ in completed}
        for number, group in enumerate(self.plan.groups):
            if names & {step.name for step in group}:
                fault = await self.approvals.check(number, self.artifacts, rollback=True)
                if fault is not None:
                    return fault
        return None

    async def _run_group(self, group: tuple[Step, ...]) -> Fault | None:
        try:
            steps = [step for step in group if self._should_run(step)]
        except StageFailure as failure:
            return failure.fault
        if self.runtime.cancellation.requested:
            return _cancelled("the run was cancelled", group[0].name)
        siblings = CancelToken(self.runtime.cancellation) if len(steps) > 1 else self.runtime.cancellation
        calls = [StepCall(f"run:{s.name}", s.signature.output, partial(self._call, s, siblings)) for s in steps]
        outcomes = await self.runtime.run_steps(calls) if calls else []
        for step, outcome in zip(steps, outcomes, strict=True):
            self._record(step, outcome)
        failed = [outcome.fault for outcome in outcomes if outcome.failed and outcome.fault]
        return min(failed, key=lambda fault: fault.code == RUN_CANCELLED.code) if failed else None

    async def _call(self, step: Step, siblings: CancelToken) -> StepOutcome:
        if self.dry_run:
            return await self.stages.preview(step, self.artifacts)
        self._running.add(step.name)
        outcome = await self.stages.execute(step, self.artifacts, siblings)
        self._running.discard(step.name)
        if outcome.failed and siblings is not self.runtime.cancellation:
            siblings.request()
        return outcome

    def _should_run(self, step: Step) -> bool:
        if step.when is None:
            return True
        try:
            needed = step.when(self.artifacts)
        except Exception as error:
            if self.dry_run and isinstance(error, KeyError):
                self._skip(step, "indeterminate", "its condition depends on an artifact that a dry run cannot predict")
                return False
            raise PIPELINE_CONDITION_FAILED(f"the condition of {step.name} failed: {error!r}") from error
        if not needed:
            self._skip(step, "skipped", "not needed")
        return needed

    def _skip(self, step: Step, status: StageStatus, reason: str) -> None:
        self.results[step.name] = StageResult(name=step.name, status=status, notes=(reason,))
        self.events.set_progress(step.name, 1.0)
        self.events.emit("stage_skipped", step.name, message=f"{step.name}: {reason}")

    def _record(self, step: Step, outcome: StepOutcome) -> None:
        self.results[step.name] = StageResult(
            name=step.name,
            status=outcome.status,
            attempts=outcome.attempts,
            seconds=outcome.seconds,
            fault=outcome.fault,
            notes=outcome.notes,
        )
        if outcome.replayed:
            self.stages.emit_result(step, outcome)
        if outcome.output is not None and not outcome.failed:
            self.artifacts.add(outcome.output)
        if outcome.status == "success":
            self._completed.append((step, outcome.output))
        elif outcome.failed and outcome.output is not None:
            self._leftovers.append((step, outcome.output))

    async def _unwind(self, fault: Fault) -> Fault:
        self._completed += self._leftovers
        undone = await self._roll_back_all(self._completed if self.plan.kind == "atomic" else self._leftovers)
        resume_at = undone[-1] if undone else fault.stage
        resume = Resume(run_id=self.request.id, stage=resume_at) if resume_at else None
        return fault.model_copy(update={"rolled_back": undone, "resume": resume})

    async def _roll_back_all(self, completed: Sequence[tuple[Step, BaseModel | None]]) -> tuple[str, ...]:
        undone = []
        for step, output in reversed(completed):
            if type(step.stage).rollback is Stage.rollback:
                continue
            call = StepCall(f"undo:{step.name}", None, partial(self.stages.rollback, step, output))
            [outcome] = await self.runtime.run_steps([call])
            if outcome.status == "rolled_back":
                undone.append(step.name)
                update = {"status": "rolled_back", "notes": outcome.notes}
                self.results[step.name] = self.results[step.name].model_copy(update=update)
            elif outcome.fault is not None:
                self._rollback_faults[step.name] = outcome.fault
        return tuple(undone)

    def _response(self, fault: Fault | None) -> PipelineResponse:
        status = self._status(fault)
        seconds = time.perf_counter() - self._started
        self.events.emit(
            "run_finished",
            message=f"{self.plan.name}: {status.replace('_', ' ')}",
            seconds=seconds,
            fault=fault,
            status=status,
        )
        return PipelineResponse(
            id=self.request.id,
            pipeline=self.plan.name,
            status=status,
            dry_run=self.dry_run,
            stages=tuple(self.results.values()),
            seconds=seconds,
            fault=fault,
            trace_id=current_trace_id(),
        ).with_artifacts(self.artifacts)

    def _status(self, fault: Fault | None) -> RunStatus:
        if fault is None:
            return "success"
        if self._rollback_faults:
            return "rollback_incomplete"
        if fault.code == RUN_CANCELLED.code:
            return "cancelled"
        return "rolled_back" if fault.rolled_back else "failed"

    def _add_secrets(self, inputs: Sequence[BaseModel]) -> None:
        for artifact in inputs:
            for value in artifact.__dict__.values():
                if isinstance(value, dict):
                    self.redact.add_variables({str(key): str(item) for key, item in value.items()})


def _cancelled(message: str, stage: str | None) -> Fault:
    return RUN_CANCELLED(message).fault.model_copy(update={"stage": stage})
