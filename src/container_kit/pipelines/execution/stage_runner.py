"""One step of a run: a stage's attempts, their deadline and their cancellation; an outcome comes out, always."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from pydantic import BaseModel

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.execution.event_emitter import EventEmitter
from container_kit.pipelines.execution.runtime import CancelToken, StepOutcome
from container_kit.pipelines.observability.tracing import current_trace_id, record_fault, span
from container_kit.pipelines.plan import Plan, Step
from container_kit.pipelines.request import StageStatus
from container_kit.pipelines.wiring import arguments
from container_kit.stages.contract.fault import Evidence, Fault, FaultCode, StageFailure
from container_kit.stages.contract.redaction import LineRedactor, Redactor
from container_kit.stages.contract.stage import Preview, StageContext
from container_kit.stages.contract.workspace import Workspace

RUN_TIMEOUT = FaultCode(
    "run.timeout",
    means="The run's deadline passed; the stage that ran then was stopped.",
    hint="Allow more than {seconds:.0f} s, or look in the stage's log for what took so long.",
)
STAGE_TIMEOUT = FaultCode(
    "stage.timeout",
    means="One attempt of a stage took longer than the stage may.",
    hint="One attempt may take {seconds:.0f} s; look in the stage's log for what took so long.",
    retryable=True,
)
RUN_CANCELLED = FaultCode(
    "run.cancelled",
    means="Somebody asked the run to stop, or another stage of its parallel group failed.",
    hint="Nothing is wrong with the stage itself; ask for the run again to go on.",
)
STAGE_CRASHED = FaultCode(
    "stage.crashed",
    means="A stage raised something that is no StageFailure: a defect in the stage.",
    hint="Report it with the evidence; the stage's code is wrong, not the input.",
)

FAULTS = (RUN_TIMEOUT, STAGE_TIMEOUT, RUN_CANCELLED, STAGE_CRASHED)

_UNDO_ATTEMPTS = 3
_UNDO_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class StageRunner:
    """Carries out the steps of one run."""

    run_id: str
    plan: Plan
    dry_run: bool
    workspace: Workspace
    redact: Redactor
    events: EventEmitter
    deadline: float | None
    """Seconds since the epoch."""
    timeout: float | None

    async def execute(self, step: Step, made: Artifacts, cancellation: CancelToken) -> StepOutcome:
        """Try a stage until it succeeds, the policy gives up, time runs out or the run is cancelled."""
        started = time.perf_counter()
        attempt, outcome = 0, None
        with span(f"stage {step.name}", run_id=self.run_id, stage=step.name) as opened:
            with anyio.CancelScope(deadline=self._deadline()) as scope, cancellation.linked(scope):
                delay: float | None = 0.0
                while delay is not None:
                    attempt += 1
                    outcome = await self._once(step, made, attempt)
                    delay = await self._pause(step, outcome, attempt)
            if scope.cancelled_caught or (scope.cancel_called and isinstance(outcome, Fault)):
                outcome = self._complete(self._stopped(step, cancellation).fault, step, attempt)
            if isinstance(outcome, Fault):
                record_fault(opened, outcome)
        return self.emit_result(step, _outcome(outcome, attempt, time.perf_counter() - started))

    async def preview(self, step: Step, made: Artifacts) -> StepOutcome:
        """Validate and preview a stage for a dry run; what only reads is executed."""
        ctx = self._context(step, 1)
        self.events.emit("stage_started", step.name)
        try:
            resolved = await self._validate(step, ctx, made)
            if step.stage.read_only:
                preview = Preview(
                    (), await step.stage.execute(ctx, **arguments(step.signature.execute, made, resolved))
                )
            else:
                preview = await step.stage.preview(ctx, **arguments(step.signature.preview, made, resolved))
        except KeyError as missing:
            needed = getattr(missing.args[0], "__name__", str(missing))
            return self._previewed(step, StepOutcome("unchecked", notes=(f"needs {needed}, which cannot be foretold",)))
        except Exception as error:  # noqa: BLE001 - a stage's defect is a fault too
            fault = self._complete(self._fault_of(error, step, 1), step, 1)
            return self.emit_result(step, _outcome(fault, 1, 0.0))
        notes = tuple(self.redact(line) for line in preview.changes)
        return self._previewed(step, StepOutcome("previewed", preview.output, notes=notes))

    async def rollback(self, step: Step, made: BaseModel | None) -> StepOutcome:
        """Roll one stage back. Deaf to the deadline and to cancellation; bounded all the same."""
        self.events.emit("stage_rolling_back", step.name, message=f"undoing {step.name}")
        fault: Fault | None = None
        for attempt in range(1, _UNDO_ATTEMPTS + 1):
            try:
                with span(f"rollback {step.name}", run_id=self.run_id, stage=step.name, attempt=attempt):
                    with anyio.fail_after(_UNDO_SECONDS):
                        await step.stage.rollback(self._context(step, attempt), made)
            except TimeoutError:
                fault = STAGE_TIMEOUT(f"undoing {step.name} took too long", seconds=_UNDO_SECONDS).fault
            except Exception as error:  # noqa: BLE001 - a stage's defect is a fault too
                fault = self._fault_of(error, step, attempt)
            else:
                self.events.emit("stage_rolled_back", step.name, message=f"{step.name} was undone")
                return StepOutcome("rolled_back", attempts=attempt)
        assert fault is not None  # noqa: S101 - the loop ran at least once
        fault = self._complete(fault, step, _UNDO_ATTEMPTS)
        self.events.emit("rollback_failed", step.name, message=fault.message, fault=fault)
        return StepOutcome("failed", fault=fault, attempts=_UNDO_ATTEMPTS)

    async def _pause(self, step: Step, outcome: BaseModel | Fault | None, attempt: int) -> float | None:
        if not isinstance(outcome, Fault):
            return None
        delay = (step.retry or self.plan.retry).delay_after(attempt, outcome)
        if delay is not None:
            message = f"{outcome.message}; trying again in {delay:.1f} s"
            self.events.emit(
                "stage_retrying", step.name, message=message, attempt=attempt, seconds=delay, fault=outcome
            )
            await anyio.sleep(delay)
        return delay

    def _stopped(self, step: Step, cancellation: CancelToken) -> StageFailure:
        if cancellation.requested:
            return RUN_CANCELLED(f"{step.name} was stopped because the run was cancelled")
        return RUN_TIMEOUT(f"the run's time ended during {step.name}", seconds=self.timeout or 0)

    async def _once(self, step: Step, made: Artifacts, attempt: int) -> BaseModel | Fault | None:
        self.events.emit("stage_started", step.name, message=step.name, attempt=attempt)
        ctx = self._context(step, attempt)
        timeout = step.timeout or step.stage.timeout
        with span(f"attempt {attempt}", stage=step.name, attempt=attempt) as opened:
            try:
                if timeout is None:
                    return await self._work(step, ctx, made)
                with anyio.move_on_after(timeout):
                    return await self._work(step, ctx, made)
                fault = STAGE_TIMEOUT(f"{step.name} took longer than {timeout:.0f} s", seconds=timeout).fault
            except Exception as error:  # noqa: BLE001 - a stage's defect is a fault too
                fault = self._fault_of(error, step, attempt)
            fault = self._complete(fault, step, attempt)
            record_fault(opened, fault)
            return fault

    async def _work(self, step: Step, ctx: StageContext, made: Artifacts) -> BaseModel | None:
        resolved = await self._validate(step, ctx, made)
        return self._checked(step, await step.stage.execute(ctx, **arguments(step.signature.execute, made, resolved)))

    async def _validate(self, step: Step, ctx: StageContext, made: Artifacts) -> object:
        """Resolve a stage's inputs and validate them; return the result of `resolve`."""
        resolved = await step.stage.resolve(ctx, **arguments(step.signature.resolve, made))
        await step.stage.validate(ctx, **arguments(step.signature.validate, made, resolved))
        return resolved

    def _checked(self, step: Step, product: Any) -> BaseModel | None:
        expected = step.signature.output
        if expected is None or type(product) is expected:
            return product if expected else None
        raise TypeError(f"{step.name} returned {type(product).__name__} instead of {expected.__name__}")

    def _context(self, step: Step, attempt: int) -> StageContext:
        name = step.name

        def on_progress(message: str, fraction: float | None) -> None:
            if fraction is not None:
                self.events.set_progress(name, fraction)
            self.events.emit("stage_progress", name, message=message, attempt=attempt)

        redact_line = LineRedactor(self.redact)
        return StageContext(
            run_id=self.run_id,
            pipeline=self.plan.name,
            stage=name,
            attempt=attempt,
            dry_run=self.dry_run,
            workspace=self.workspace,
            redact=self.redact,
            on_progress=on_progress,
            on_output=lambda line: self.events.emit("stage_output", name, message=redact_line(line), attempt=attempt),
        )

    def emit_result(self, step: Step, outcome: StepOutcome) -> StepOutcome:
        """Tell how a stage ended, and return its outcome."""
        self.events.set_progress(step.name, 1.0)
        facts = {"attempt": outcome.attempts, "seconds": outcome.seconds, "fault": outcome.fault}
        if outcome.fault is None:
            self.events.emit("stage_succeeded", step.name, message=f"{step.name} done", **facts)
        else:
            self.events.emit("stage_failed", step.name, message=outcome.fault.message, **facts)
        return outcome

    def _previewed(self, step: Step, outcome: StepOutcome) -> StepOutcome:
        self.events.set_progress(step.name, 1.0)
        self.events.emit("stage_previewed", step.name, message="; ".join(outcome.notes))
        return outcome

    def _complete(self, fault: Fault, step: Step, attempt: int) -> Fault:
        known = {"stage": step.name, "attempts": attempt, "trace_id": current_trace_id()}
        return self.events.redact_fault(fault.model_copy(update=known))

    def _fault_of(self, error: Exception, step: Step, attempt: int) -> Fault:
        failure = _stage_failure(error)
        if failure is not None:
            return failure.fault
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else None
        message = f"{step.name} crashed: {type(error).__name__}: {error}"
        self._context(step, attempt).log.error("stage crashed", error=self.redact(message), where=where)
        return STAGE_CRASHED(message, evidence=[Evidence(kind="value", text=repr(error)[:1000], where=where)]).fault

    def _deadline(self) -> float:
        if self.deadline is None:
            return float("inf")
        return anyio.current_time() + max(0.0, self.deadline - time.time())


def _outcome(outcome: BaseModel | Fault | None, attempts: int, seconds: float) -> StepOutcome:
    if isinstance(outcome, Fault):
        status: StageStatus = "cancelled" if outcome.code == RUN_CANCELLED.code else "failed"
        return StepOutcome(status, None, outcome, attempts, seconds)
    return StepOutcome("success", outcome, None, attempts, seconds)


def _stage_failure(error: BaseException) -> StageFailure | None:
    """The failure that was raised, also from within a stage's task group."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_stage_failure, error.exceptions)), None)
    return error if isinstance(error, StageFailure) else None
