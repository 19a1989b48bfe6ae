"""Submission: writing a run into the journal, to be carried out here at once or taken from the queue."""

from __future__ import annotations

from typing import Any

from dbos import DBOS
from opentelemetry import propagate

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.durable.dbos_engine import WORKFLOW, queue_of
from container_kit.pipelines.durable.journal import RunSpec
from container_kit.pipelines.plan import Plan


def target_of(pipeline: Plan, spec: RunSpec) -> str | None:
    """What the run changes, if others may change it too.

    Raises:
        StageFailure: `request.invalid`.
    """
    given = Artifacts(pipeline.parse_input(spec.request))
    return pipeline.concurrency_key(given) if pipeline.concurrency_key else None


def written(spec: RunSpec) -> dict[str, Any]:
    """A spec as it goes into the journal, with the trace that it is asked for in."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return spec.model_copy(update={"trace": carrier}).model_dump(mode="json")


def attributes(spec: RunSpec) -> dict[str, str]:
    """What a run can be told by without its input."""
    about = {
        "pipeline": spec.pipeline,
        "principal": spec.principal,
        "retry_of": spec.retry_of,
        "rolls_back": spec.rolls_back,
        "surroundings": spec.surroundings,
    }
    return {key: value for key, value in about.items() if value}


async def enqueue(spec: RunSpec, target: str | None, priority: int | None) -> None:
    """Put a run in the queue, where those with one target follow one another."""
    options: dict[str, Any] = {
        "workflow_name": WORKFLOW,
        "queue_name": queue_of(spec.surroundings),
        "workflow_id": spec.request.id,
        "queue_partition_key": target or spec.request.id,
        "attributes": attributes(spec),
    }
    if priority is not None:
        options["priority"] = priority
    await DBOS.enqueue_workflow_with_options_async(options, written(spec))  # type: ignore[arg-type]
