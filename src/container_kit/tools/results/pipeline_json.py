"""The plan of a pipeline as JSON: its groups in order, the inputs and output of each stage, and the inputs of a run."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, JsonValue

from container_kit.pipelines.plan import Plan, Step
from container_kit.tools.results.schema import input_schema
from container_kit.tools.results.success import compact


def plan_json(plan: Plan) -> dict[str, JsonValue]:
    """Return the whole plan, for clients that show what a run would do."""
    steps = {step.name: step for step in plan.steps()}
    data: dict[str, Any] = {
        "name": plan.name,
        "kind": plan.kind,
        "summary": plan.summary,
        "timeout": plan.timeout,
        "stages": [[node | _wiring(steps.get(node["name"])) for node in group] for group in groups(plan)],
        "inputs": {kind.__name__: _fields(kind) for kind in plan.inputs},
    }
    result: dict[str, JsonValue] = compact(data)
    return result


def groups(plan: Plan) -> list[list[dict[str, Any]]]:
    """Return the groups of parallel stages in order; each approval is a group."""
    result: list[list[dict[str, Any]]] = []
    for number, group in enumerate(plan.groups):
        result += _approvals(plan, number)
        result.append([_stage(step) for step in group])
    return result + _approvals(plan, len(plan.groups))


def _approvals(plan: Plan, number: int) -> list[list[dict[str, Any]]]:
    return [
        [{"name": approval.name, "kind": "approval", "conditional": approval.when is not None}]
        for approval in plan.approvals.get(number, ())
    ]


def _stage(step: Step) -> dict[str, Any]:
    summary = (type(step.stage).__doc__ or "").strip().partition("\n")[0]
    return {"name": step.name, "kind": "stage", "summary": summary, "conditional": step.when is not None}


def _wiring(step: Step | None) -> dict[str, Any]:
    if step is None:
        return {}
    output = step.signature.output
    return {
        "inputs": [stage_input.kind.__name__ for stage_input in step.signature.inputs],
        "output": output.__name__ if output else None,
        "read_only": step.stage.read_only,
        "faults": [code.code for code in step.stage.faults],
    }


def _fields(kind: type[BaseModel]) -> dict[str, Any]:
    schema = input_schema(kind)
    return {"properties": schema.get("properties", {}), "required": schema.get("required", [])}
