"""From the response of a run to a tool result."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, JsonValue

from container_kit.pipelines.request import PipelineResponse, StageResult
from container_kit.stages.artifacts.scan import Sbom
from container_kit.tools.results.schema import result_key, sbom_uri
from container_kit.tools.results.summary import summary
from container_kit.tools.tool import ToolResult

_TEXT_LIMIT = 2000
"""Characters of an artifact's JSON that are shown in the text."""
_INTERNAL_STAGES = frozenset({"choose-target", "find-image", "find-built-image", "find-deployment", "find-rollout"})
"""Stages that only look up what later stages need."""
_DRY_RUN_TEXT = {
    "previewed": "would run; it only reads",
    "indeterminate": "cannot be predicted",
}


def success_result(response: PipelineResponse, outputs: Iterable[type[BaseModel]]) -> ToolResult:
    """Return the result of a successful run with these artifacts."""
    data: dict[str, JsonValue] = {
        "run": response.id,
        "status": response.status,
        "seconds": round(response.seconds, 3),
        "stages": [stage_json(stage) for stage in response.stages if stage.name not in _INTERNAL_STAGES],
    }
    for kind in outputs:
        artifact = response.artifacts.get(kind)
        if artifact is not None:
            data[result_key(kind)] = _artifact_json(artifact, response.id)
    if response.dry_run:
        data["dry_run"] = True
        return ToolResult(_dry_run_text(response), data)
    text = summary(response) or _generic_text(response, outputs, data)
    return ToolResult(f"{text}\nrun: {response.id}", data)


def _artifact_json(artifact: BaseModel, run_id: str) -> Any:
    """Return an artifact's JSON. An SBOM is referenced as a resource, since it would fill the client's context."""
    if isinstance(artifact, Sbom):
        return compact({**artifact.model_dump(mode="json", exclude={"document"}), "resource": sbom_uri(run_id)})
    full = artifact.model_dump(mode="json", exclude=getattr(artifact, "response_exclude", None))
    required = {name for name, info in type(artifact).model_fields.items() if info.is_required()}
    shown: dict[str, JsonValue] = compact(full)
    return {name: shown.get(name, value) for name, value in full.items() if name in shown or name in required}


def stage_json(stage: StageResult) -> dict[str, JsonValue]:
    """Return the result of a stage without empty fields."""
    data: dict[str, JsonValue] = {"name": stage.name, "status": stage.status}
    if stage.attempts:
        data |= {"seconds": round(stage.seconds, 3), "attempts": stage.attempts}
    if stage.notes:
        data["notes"] = list(stage.notes)
    return data


def compact(value: Any) -> Any:
    """Remove nulls, empty strings and empty collections, which would only cost context.

    A `value` of null stays: it means that something is unknown.
    """
    if isinstance(value, dict):
        items = {key: compact(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if key == "value" or item not in (None, "", [], {})}
    if isinstance(value, list):
        return [compact(item) for item in value]
    return value


def _generic_text(response: PipelineResponse, outputs: Iterable[type[BaseModel]], data: dict[str, JsonValue]) -> str:
    """Describe artifacts that have no summary, such as those of custom pipelines."""
    lines = [f"{response.pipeline}: {response.status} in {response.seconds:.1f} s"]
    keys = [key for key in map(result_key, outputs) if key in data]
    lines += [f"{key}: {json.dumps(data[key], ensure_ascii=False)[:_TEXT_LIMIT]}" for key in keys]
    return "\n".join(lines)


def _dry_run_text(response: PipelineResponse) -> str:
    lines = [f"dry run of {response.pipeline}: nothing was changed"]
    lines += [
        f"- {stage.name}: {'; '.join(stage.notes) or _DRY_RUN_TEXT.get(stage.status, stage.status)}"
        for stage in response.stages
    ]
    return "\n".join(lines)
