"""Writing a run into the journal, for its queue."""

from __future__ import annotations

from typing import Any

from dbos import DBOS
from opentelemetry import propagate

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.durable.dbos_engine import WORKFLOW, queue_name
from container_kit.pipelines.durable.journal import RunSpec
from container_kit.pipelines.plan import Plan


def concurrency_key(plan: Plan, spec: RunSpec) -> str | None:
    """Return the concurrency key of a run; None if it excludes no other run.

    Raises:
        StageFailure: `request.invalid`.
    """
    inputs = Artifacts(plan.parse_input(spec.request))
    return plan.concurrency_key(inputs) if plan.concurrency_key else None


def serialize_spec(spec: RunSpec) -> dict[str, Any]:
    """Return the JSON form of a spec, with the current trace context."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return spec.model_copy(update={"trace": carrier}).model_dump(mode="json")


def attributes(plan: Plan, spec: RunSpec) -> dict[str, Any]:
    """Return the attributes of a run that can be read without its input."""
    values = {
        "pipeline": spec.pipeline,
        "principal": spec.principal,
        "subject": Artifacts(plan.parse_input(spec.request)).run_subject(),
        "roots": list(spec.roots),
        "approval_digest": spec.approval_digest,
        "retry_of": spec.retry_of,
        "rolls_back": spec.rolls_back,
        "environment_id": spec.environment_id,
    }
    return {key: value for key, value in values.items() if value}


async def enqueue(plan: Plan, spec: RunSpec, key: str | None, priority: int | None) -> None:
    """Put a run into the queue, in which runs with one concurrency key run one after another."""
    options: dict[str, Any] = {
        "workflow_name": WORKFLOW,
        "queue_name": queue_name(spec.environment_id),
        "workflow_id": spec.request.id,
        "queue_partition_key": key or spec.request.id,
        "attributes": attributes(plan, spec),
    }
    if priority is not None:
        options["priority"] = priority
    await DBOS.enqueue_workflow_with_options_async(options, serialize_spec(spec))  # type: ignore[arg-type]
