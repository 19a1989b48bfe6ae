"""The data of the journal, as JSON: the specs of runs and the outcomes of their steps."""

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

STAGE_NOT_JOURNALABLE = FaultCode(
    "stage.not_journalable",
    means="A stage returned an artifact that does not round-trip through JSON, so the run could not be resumed.",
    hint="Give the fields of the artifact types that pydantic can write as JSON and read back; the fault names them.",
)
RUN_PLAN_CHANGED = FaultCode(
    "run.plan_changed",
    means="The pipeline of an older run does not exist or has other stages now, so the run cannot be resumed.",
    hint="Start a new run. If this run changed something, roll it back first.",
)
RUN_ENVIRONMENT_MISMATCH = FaultCode(
    "run.environment_mismatch",
    means="The run was started in an environment with another engine, cluster or set of targets.",
    hint="Retry the run where it was started, or here if this environment is the right one.",
)


class RunSpec(Artifact):
    """All data that any process needs to execute a run."""

    pipeline: str
    request: PipelineRequest
    roots: tuple[str, ...]
    """The folders of the caller's workspace."""
    plan: tuple[str, ...]
    """The names of the stages when the run was started."""
    principal: str | None = None
    """The caller, if callers are authenticated."""
    approval_digest: str = ""
    """The digest of the key that answers to the run's questions need."""
    seed: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)
    """Outcomes by step id from the run that this one retries."""
    retry_of: str | None = None
    rolls_back: str | None = None
    """The run whose stages this run rolls back; it executes none."""
    environment_id: str = ""
    """Identifies the engine, cluster and targets of the process that started the run."""
    trace: dict[str, str] = Field(default_factory=dict)
    """The caller's W3C trace context."""
    interactive: bool = True
    """Whether a person can decide at approval points; if not, the run fails at them."""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    """Data of the caller, which the engine only stores."""


class JournaledOutcome(Artifact):
    """A step's outcome in the journal."""

    status: StageStatus
    output: JsonValue = None
    fault: Fault | None = None
    attempts: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def write_outcome(outcome: StepOutcome, stage: str) -> dict[str, Any]:
    """Convert an outcome to JSON. If its artifact cannot be written, the outcome becomes a failure."""
    try:
        output = None if outcome.output is None else outcome.output.model_dump(mode="json")
    except Exception as error:  # noqa: BLE001 - a custom model may raise any exception
        outcome, output = _not_journalable(outcome, type(outcome.output), stage, error), None
    return {
        "status": outcome.status,
        "output": output,
        "fault": None if outcome.fault is None else outcome.fault.model_dump(mode="json"),
        "attempts": outcome.attempts,
        "seconds": outcome.seconds,
        "notes": list(outcome.notes),
    }


def read_outcome(row: Mapping[str, Any], output: type[BaseModel] | None, stage: str, *, replayed: bool) -> StepOutcome:
    """Convert JSON to an outcome. If its artifact cannot be read, the outcome becomes a failure.

    Raises:
        ValidationError: The row is not an outcome.
    """
    journaled = JournaledOutcome.model_validate(row)
    outcome = StepOutcome(
        status=journaled.status,
        fault=journaled.fault,
        attempts=journaled.attempts,
        seconds=journaled.seconds,
        notes=journaled.notes,
        replayed=replayed,
    )
    if output is None or journaled.output is None:
        return outcome
    try:
        return replace(outcome, output=output.model_validate(journaled.output))
    except Exception as error:  # noqa: BLE001 - a custom model may raise any exception
        return _not_journalable(outcome, output, stage, error)


def _not_journalable(outcome: StepOutcome, output: type[Any], stage: str, error: Exception) -> StepOutcome:
    fault = STAGE_NOT_JOURNALABLE(f"{output.__name__} cannot be journaled: {str(error)[:500]}").fault
    fault = fault.model_copy(update={"stage": stage})
    return replace(outcome, status="failed", output=None, fault=fault)


def read_artifacts(plan: Plan, request: PipelineRequest, steps: Mapping[str, Mapping[str, Any]]) -> Artifacts:
    """Return the artifacts of a run from the outcomes in its journal."""
    artifacts = Artifacts(plan.parse_input(request))
    for step in plan.steps():
        row = steps.get(f"run:{step.name}")
        if row is not None:
            outcome = read_outcome(row, step.signature.output, step.name, replayed=True)
            if outcome.output is not None and not outcome.failed:
                artifacts.add(outcome.output)
    return artifacts


def stage_names(plan: Plan) -> tuple[str, ...]:
    """Return the names of a plan's stages in order."""
    return tuple(step.name for step in plan.steps())


def is_completed(step: str, steps: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a stage succeeded and was not rolled back since."""
    row = steps.get(f"run:{step}")
    return row is not None and row["status"] == "success" and f"undo:{step}" not in steps


def can_be_rolled_back(step: str, steps: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a stage left changes: it succeeded or could not undo them, and was not rolled back since."""
    row = steps.get(f"run:{step}") or {}
    undone = (steps.get(f"undo:{step}") or {}).get("status") == "rolled_back"
    return (row.get("status") == "success" or row.get("output") is not None) and not undone


def seed_for_retry(
    plan: Plan,
    steps: Mapping[str, Mapping[str, Any]],
    changed: Iterable[type[BaseModel]],
    from_stage: str | None,
) -> dict[str, dict[str, Any]]:
    """Return the outcomes that a retry reuses: completed, before the failure, independent of changed inputs.

    Args:
        plan: The plan of both runs.
        steps: The outcomes of the first run by step id, `run:` and `undo:`.
        changed: The inputs that differ.
        from_stage: A stage to execute again although it succeeded.
    """
    stale, seed = set(changed), {}
    for group in plan.groups:
        reused = {}
        for step in group:
            inputs = {need.kind for need in step.signature.inputs}
            if is_completed(step.name, steps) and not inputs & stale and step.name != from_stage:
                reused[f"run:{step.name}"] = dict(steps[f"run:{step.name}"])
            elif step.signature.output is not None:
                stale.add(step.signature.output)
        seed.update(reused)
        skipped = {step.name for step in group if step.when is not None and f"run:{step.name}" not in steps}
        if len(reused) + len(skipped) < len(group):
            break
    return seed
