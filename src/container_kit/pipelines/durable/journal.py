"""The journal's data: what a run was asked to do and what each step gave, as JSON and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field, JsonValue

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.execution.runtime import StepOutcome
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, StageStatus
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault, FaultCode

NOT_JOURNALABLE = FaultCode(
    "stage.not_journalable",
    means="A stage made an artifact that does not survive a trip through JSON, so the run could not be continued.",
    hint="Give the artifact's fields types that pydantic can write as JSON and read back; the evidence notes which.",
)
PLAN_CHANGED = FaultCode(
    "run.plan_changed",
    means="The pipeline of an older run is gone or has other stages now, so the run cannot be continued.",
    hint="Ask for a new run; roll this one back first, where it changed something.",
)
RUN_ELSEWHERE = FaultCode(
    "run.environment_mismatch",
    means="The run was asked for where another engine, cluster or set of targets is used, so it is not done here.",
    hint="Retry it from where it was asked for, or from here if it may be done here.",
)


class RunSpec(Artifact):
    """All that is needed to carry out a run in any process."""

    pipeline: str
    request: PipelineRequest
    roots: tuple[str, ...]
    """The workspace of whoever asked."""
    plan: tuple[str, ...]
    """The names of the stages when the run was asked for."""
    principal: str | None = None
    """Who asked, where callers are told apart."""
    seed: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    """Envelopes by step id, taken over from the run that this one continues."""
    retry_of: str | None = None
    rolls_back: str | None = None
    """The run whose stages are to be undone, in place of running any."""
    surroundings: str = ""
    """Tells apart processes whose stages would work on other engines, clusters or targets."""
    trace: dict[str, str] = Field(default_factory=dict)
    """The W3C trace context of whoever asked."""
    interactive: bool = True
    """False where nobody can be asked; approval points are not passed then."""
    note: dict[str, JsonValue] = Field(default_factory=dict)
    """Kept for whoever asked; it means nothing here."""


class WrittenEnvelope(Artifact):
    """An outcome as it stands in the journal."""

    status: StageStatus
    output: JsonValue = None
    fault: Fault | None = None
    attempts: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def write_envelope(outcome: StepOutcome, stage: str) -> dict[str, Any]:
    """Turn an outcome into JSON; one whose artifact cannot be written becomes a failure."""
    try:
        output = None if outcome.output is None else outcome.output.model_dump(mode="json")
    except Exception as error:  # noqa: BLE001 - whatever a foreign model raises
        outcome, output = _not_journalable(outcome, type(outcome.output), stage, error), None
    return {
        "status": outcome.status,
        "output": output,
        "fault": None if outcome.fault is None else outcome.fault.model_dump(mode="json"),
        "attempts": outcome.attempts,
        "seconds": outcome.seconds,
        "notes": list(outcome.notes),
    }


def read_outcome(
    written: Mapping[str, Any], output: type[BaseModel] | None, stage: str, *, replayed: bool
) -> StepOutcome:
    """Turn JSON back into an outcome; one whose artifact cannot be read becomes a failure.

    Raises:
        ValidationError: The journal's row is no outcome.
    """
    row = WrittenEnvelope.model_validate(written)
    outcome = StepOutcome(row.status, None, row.fault, row.attempts, row.seconds, row.notes, replayed)
    if output is None or row.output is None:
        return outcome
    try:
        return replace(outcome, output=output.model_validate(row.output))
    except Exception as error:  # noqa: BLE001 - whatever a foreign model raises
        return _not_journalable(outcome, output, stage, error)


def _not_journalable(outcome: StepOutcome, output: type[Any], stage: str, error: Exception) -> StepOutcome:
    fault = NOT_JOURNALABLE(f"{output.__name__} cannot be journaled: {str(error)[:500]}").fault
    fault = fault.model_copy(update={"stage": stage})
    return replace(outcome, status="failed", output=None, fault=fault)


def artifacts_of(pipeline: Plan, request: PipelineRequest, steps: Mapping[str, Mapping[str, Any]]) -> Artifacts:
    """The artifacts of a run, from its journal."""
    artifacts = Artifacts(pipeline.parse_input(request))
    for step in pipeline.steps():
        written = steps.get(f"run:{step.name}")
        if written is not None:
            outcome = read_outcome(written, step.signature.output, step.name, replayed=True)
            if outcome.output is not None:
                artifacts.add(outcome.output)
    return artifacts


def plan_of(pipeline: Plan) -> tuple[str, ...]:
    """The names of a pipeline's stages in order."""
    return tuple(step.name for step in pipeline.steps())


def seed_for_retry(
    pipeline: Plan,
    steps: Mapping[str, Mapping[str, Any]],
    changed: Iterable[type[BaseModel]],
    from_stage: str | None,
) -> dict[str, dict[str, Any]]:
    """The envelopes that a retry takes over: good, not undone, before the failure, independent of what changed.

    Args:
        steps: The old run's envelopes by step id, `run:` and `undo:`.
        changed: The given artifacts that differ now.
        from_stage: A stage to start again from, though it succeeded.
    """
    stale, seed = set(changed), {}
    for group in pipeline.groups:
        kept = {}
        for step in group:
            written = steps.get(f"run:{step.name}")
            needs = {need.kind for need in step.signature.inputs}
            good = written is not None and written["status"] == "success" and f"undo:{step.name}" not in steps
            if written is not None and good and not needs & stale and step.name != from_stage:
                kept[f"run:{step.name}"] = dict(written)
            elif step.signature.output is not None:
                stale.add(step.signature.output)
        seed.update(kept)
        skipped = {step.name for step in group if step.when is not None and f"run:{step.name}" not in steps}
        if len(kept) + len(skipped) < len(group):
            break
    return seed
