"""Running one stage: its attempts, their deadline and their cancellation. The result is always an outcome."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field, replace
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
from container_kit.stages.contract.redaction import PrivateKeyFilter, Redactor
from container_kit.stages.contract.stage import Preview, StageContext
from container_kit.stages.contract.workspace import Workspace

RUN_TIMEOUT = FaultCode(
    "run.timeout",
    means="The run's deadline passed; the running stage was stopped.",
    hint="Allow more than {seconds:.0f} s, or find the slow operation in the stage's log.",
)
STAGE_TIMEOUT = FaultCode(
    "stage.timeout",
    means="One attempt of a stage exceeded its time limit.",
    hint="One attempt may take {seconds:.0f} s. Find the slow operation in the stage's log.",
    retryable=True,
)
RUN_CANCELLED = FaultCode(
    "run.cancelled",
    means="The run was cancelled, or another stage of the parallel group failed.",
    hint="The stage itself did not fail. Start the run again to continue.",
)
STAGE_CRASHED = FaultCode(
    "stage.crashed",
    means="The stage raised an unexpected exception: a bug in the stage, not in the input.",
    hint="Report the bug with the evidence.",
)

FAULTS = (RUN_TIMEOUT, STAGE_TIMEOUT, RUN_CANCELLED, STAGE_CRASHED)

_ROLLBACK_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StageRunner:
    """Runs the stages of one run."""

    run_id: str
    plan: Plan
    dry_run: bool
    workspace: Workspace
    redact: Redactor
    events: EventEmitter
    deadline: float | None
    """Seconds since the epoch."""
    timeout: float | None
    _leftovers: dict[str, BaseModel] = field(default_factory=dict, init=False)
    """The outputs of failed stages that could not undo their changes, by stage."""

    async def execute(self, step: Step, artifacts: Artifacts, cancellation: CancelToken) -> StepOutcome:
        """Run a stage until it succeeds, its retries are used up, its deadline passes or the run is cancelled."""
        started = time.perf_counter()
        result: BaseModel | Fault | None = None
        self._leftovers.pop(step.name, None)
        attempt = 0
        with span(f"stage {step.name}", run_id=self.run_id, stage=step.name) as opened:
            with anyio.CancelScope(deadline=self._deadline()) as scope, cancellation.linked(scope):
                delay: float | None = 0.0
                while delay is not None:
                    attempt += 1
                    result = await self._attempt(step, artifacts, attempt)
                    delay = await self._wait_for_retry(step, result, attempt)
            if scope.cancelled_caught or (scope.cancel_called and isinstance(result, Fault)):
                result = self._complete(self._interruption(step, cancellation).fault, step, attempt)
            if isinstance(result, Fault):
                record_fault(opened, result)
        outcome = _outcome(result, attempt, time.perf_counter() - started)
        if outcome.failed:
            outcome = replace(outcome, output=self._leftovers.get(step.name))
        return self.emit_result(step, outcome)

    async def preview(self, step: Step, artifacts: Artifacts) -> StepOutcome:
        """Validate and preview a stage for a dry run. A stage that only reads is executed."""
        ctx = self._context(step, 1)
        self.events.emit("stage_started", step.name)
        try:
            resolved = await self._validate(step, ctx, artifacts)
            if step.stage.read_only:
                output = await step.stage.execute(ctx, **arguments(step.signature.execute, artifacts, resolved))
                preview = Preview((), output)
            else:
                preview = await step.stage.preview(ctx, **arguments(step.signature.preview, artifacts, resolved))
        except KeyError as missing:
            needed = getattr(missing.args[0], "__name__", str(missing))
            note = f"depends on {needed}, which a dry run cannot predict"
            return self._emit_preview(step, StepOutcome("indeterminate", notes=(note,)))
        except Exception as error:  # noqa: BLE001 - a bug in a stage is a fault too
            fault = self._complete(self._fault_of(error, step, 1), step, 1)
            return self.emit_result(step, _outcome(fault, 1, 0.0))
        notes = tuple(self.redact(line) for line in preview.changes)
        return self._emit_preview(step, StepOutcome("previewed", preview.output, notes=notes))

    async def rollback(self, step: Step, output: BaseModel | None) -> StepOutcome:
        """Roll back one stage. Ignores the deadline and cancellation, but has its own time limit."""
        self.events.emit("stage_rolling_back", step.name, message=f"rolling back {step.name}")
        fault: Fault | None = None
        seconds = step.stage.rollback_timeout
        for attempt in range(1, _ROLLBACK_ATTEMPTS + 1):
            try:
                with span(f"rollback {step.name}", run_id=self.run_id, stage=step.name, attempt=attempt):
                    with anyio.fail_after(seconds):
                        kept = await step.stage.rollback(self._context(step, attempt), output)
            except TimeoutError:
                fault = STAGE_TIMEOUT(f"the rollback of {step.name} took too long", seconds=seconds).fault
            except Exception as error:  # noqa: BLE001 - a bug in a stage is a fault too
                fault = self._fault_of(error, step, attempt)
            else:
                notes = tuple(self.redact(line) for line in kept or ())
                message = "; ".join((f"{step.name} was rolled back", *notes))
                self.events.emit("stage_rolled_back", step.name, message=message)
                return StepOutcome("rolled_back", attempts=attempt, notes=notes)
        assert fault is not None  # noqa: S101 - the loop ran at least once
        fault = self._complete(fault, step, _ROLLBACK_ATTEMPTS)
        self.events.emit("rollback_failed", step.name, message=fault.message, fault=fault)
        return StepOutcome("failed", fault=fault, attempts=_ROLLBACK_ATTEMPTS)

    async def _wait_for_retry(self, step: Step, result: BaseModel | Fault | None, attempt: int) -> float | None:
        if not isinstance(result, Fault):
            return None
        delay = (step.retry or self.plan.retry).delay_after(attempt, result)
        if delay is not None:
            message = f"{result.message}; retrying in {delay:.1f} s"
            self.events.emit("stage_retrying", step.name, message=message, attempt=attempt, seconds=delay, fault=result)
            await anyio.sleep(delay)
        return delay

    def _interruption(self, step: Step, cancellation: CancelToken) -> StageFailure:
        if cancellation.requested:
            return RUN_CANCELLED(f"{step.name} was stopped because the run was cancelled")
        return RUN_TIMEOUT(f"the run's deadline passed during {step.name}", seconds=self.timeout or 0)

    async def _attempt(self, step: Step, artifacts: Artifacts, attempt: int) -> BaseModel | Fault | None:
        self.events.emit("stage_started", step.name, message=step.name, attempt=attempt)
        ctx = self._context(step, attempt)
        timeout = step.timeout or step.stage.timeout
        with span(f"attempt {attempt}", stage=step.name, attempt=attempt) as opened:
            try:
                if timeout is None:
                    return await self._execute(step, ctx, artifacts)
                with anyio.move_on_after(timeout):
                    return await self._execute(step, ctx, artifacts)
                fault = STAGE_TIMEOUT(f"{step.name} took longer than {timeout:.0f} s", seconds=timeout).fault
            except Exception as error:  # noqa: BLE001 - a bug in a stage is a fault too
                fault = self._fault_of(error, step, attempt)
            fault = self._complete(fault, step, attempt)
            record_fault(opened, fault)
            return fault

    async def _execute(self, step: Step, ctx: StageContext, artifacts: Artifacts) -> BaseModel | None:
        resolved = await self._validate(step, ctx, artifacts)
        return self._check_output(
            step, await step.stage.execute(ctx, **arguments(step.signature.execute, artifacts, resolved))
        )

    async def _validate(self, step: Step, ctx: StageContext, artifacts: Artifacts) -> object:
        """Resolve a stage's inputs and validate them; return the result of `resolve`."""
        resolved = await step.stage.resolve(ctx, **arguments(step.signature.resolve, artifacts))
        await step.stage.validate(ctx, **arguments(step.signature.validate, artifacts, resolved))
        return resolved

    def _check_output(self, step: Step, output: Any) -> BaseModel | None:
        expected = step.signature.output
        if expected is None or type(output) is expected:
            return output if expected else None
        raise TypeError(f"{step.name} returned {type(output).__name__} instead of {expected.__name__}")

    def _context(self, step: Step, attempt: int) -> StageContext:
        name = step.name

        def on_progress(message: str, fraction: float | None) -> None:
            if fraction is not None:
                self.events.set_progress(name, fraction)
            self.events.emit("stage_progress", name, message=message, attempt=attempt)

        hide_keys = PrivateKeyFilter()  # the emitter redacts each line
        return StageContext(
            run_id=self.run_id,
            pipeline=self.plan.name,
            stage=name,
            attempt=attempt,
            dry_run=self.dry_run,
            workspace=self.workspace,
            redact=self.redact,
            on_progress=on_progress,
            on_output=lambda line: self.events.emit("stage_output", name, message=hide_keys(line), attempt=attempt),
        )

    def emit_result(self, step: Step, outcome: StepOutcome) -> StepOutcome:
        """Emit the event of a stage's end, and return its outcome."""
        self.events.set_progress(step.name, 1.0)
        fields = {"attempt": outcome.attempts, "seconds": outcome.seconds, "fault": outcome.fault}
        if outcome.fault is None:
            self.events.emit("stage_succeeded", step.name, message=f"{step.name} done", **fields)
        else:
            self.events.emit("stage_failed", step.name, message=outcome.fault.message, **fields)
        return outcome

    def _emit_preview(self, step: Step, outcome: StepOutcome) -> StepOutcome:
        self.events.set_progress(step.name, 1.0)
        self.events.emit("stage_previewed", step.name, message="; ".join(outcome.notes))
        return outcome

    def _complete(self, fault: Fault, step: Step, attempt: int) -> Fault:
        update = {"stage": step.name, "attempts": attempt, "trace_id": current_trace_id()}
        return self.events.redact_fault(fault.model_copy(update=update))

    def _fault_of(self, error: Exception, step: Step, attempt: int) -> Fault:
        failure = _stage_failure(error)
        if failure is not None:
            if failure.leftover is not None:
                self._leftovers[step.name] = failure.leftover
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


def _outcome(result: BaseModel | Fault | None, attempts: int, seconds: float) -> StepOutcome:
    if isinstance(result, Fault):
        status: StageStatus = "cancelled" if result.code == RUN_CANCELLED.code else "failed"
        return StepOutcome(status, None, result, attempts, seconds)
    return StepOutcome("success", result, None, attempts, seconds)


def _stage_failure(error: BaseException) -> StageFailure | None:
    """Return the failure that was raised, also from within a stage's task group."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_stage_failure, error.exceptions)), None)
    return error if isinstance(error, StageFailure) else None
