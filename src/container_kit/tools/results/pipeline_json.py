"""A pipeline's plan as data: its groups in order, what each stage needs and makes, what a run is given."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, JsonValue

from container_kit.pipelines.plan import Plan, Step
from container_kit.tools.results.schema import input_schema
from container_kit.tools.results.success import compact


def plan_data(pipeline: Plan) -> dict[str, JsonValue]:
    """The whole plan, for an assistant or a person who wants to know what a run would do."""
    steps = {step.name: step for step in pipeline.steps()}
    data: dict[str, Any] = {
        "name": pipeline.name,
        "kind": pipeline.kind,
        "summary": pipeline.summary,
        "timeout": pipeline.timeout,
        "stages": [[point | _wiring(steps.get(point["name"])) for point in group] for group in groups(pipeline)],
        "inputs": {kind.__name__: _fields(kind) for kind in pipeline.inputs},
    }
    plan: dict[str, JsonValue] = compact(data)
    return plan


def groups(pipeline: Plan) -> list[list[dict[str, Any]]]:
    """The stages in order, those of a group side by side; an approval point is a group of its own."""
    drawn: list[list[dict[str, Any]]] = []
    for number, group in enumerate(pipeline.groups):
        drawn += _approvals(pipeline, number)
        drawn.append([_stage(step) for step in group])
    return drawn + _approvals(pipeline, len(pipeline.groups))


def _approvals(pipeline: Plan, number: int) -> list[list[dict[str, Any]]]:
    return [
        [{"name": approval.name, "kind": "approval", "conditional": approval.when is not None}]
        for approval in pipeline.approvals.get(number, ())
    ]


def _stage(step: Step) -> dict[str, Any]:
    summary = (type(step.stage).__doc__ or "").strip().partition("\n")[0]
    return {"name": step.name, "kind": "stage", "summary": summary, "conditional": step.when is not None}


def _wiring(step: Step | None) -> dict[str, Any]:
    if step is None:
        return {}
    return {
        "needs": [need.kind.__name__ for need in step.signature.inputs],
        "makes": step.signature.output.__name__ if step.signature.output else None,
        "read_only": step.stage.read_only,
        "faults": [code.code for code in step.stage.faults],
    }


def _fields(kind: type[BaseModel]) -> dict[str, Any]:
    schema = input_schema(kind)
    return {"properties": schema.get("properties", {}), "required": schema.get("required", [])}
