"""From a run's response to a tool's answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, JsonValue

from container_kit.pipelines.request import PipelineResponse, StageResult
from container_kit.stages.artifacts.scan import Sbom
from container_kit.tools.results.schema import product_name, sbom_uri
from container_kit.tools.results.summary import summary
from container_kit.tools.tool import ToolResult

_SHOWN = 2000
"""Characters of what a run made that are told as text."""


_REHEARSED = {"previewed": "done, for it only reads", "unchecked": "cannot be foretold"}


def success(response: PipelineResponse, products: Iterable[type[BaseModel]]) -> ToolResult:
    """The answer of a run that succeeded, with what it made by name."""
    data: dict[str, JsonValue] = {
        "run": response.id,
        "status": response.status,
        "seconds": round(response.seconds, 3),
        "stages": [stage_data(stage) for stage in response.stages],
    }
    for kind in products:
        made = response.artifacts.get(kind)
        if made is not None:
            data[product_name(kind)] = _product(made, response.id)
    if response.dry_run:
        data["dry_run"] = True
        return ToolResult(_foretold(response), data)
    text = summary(response) or _plain(response, products, data)
    return ToolResult(f"{text}\nrun: {response.id}", data)


def _product(made: BaseModel, run_id: str) -> Any:
    """What was made; a document that would fill an assistant's context is named, to be read as a resource."""
    if isinstance(made, Sbom):
        return compact({**made.model_dump(mode="json", exclude={"document"}), "resource": sbom_uri(run_id)})
    return _told(made)


def stage_data(stage: StageResult) -> dict[str, JsonValue]:
    """A stage of a run, without what is empty."""
    data: dict[str, JsonValue] = {"name": stage.name, "status": stage.status}
    if stage.attempts:
        data |= {"seconds": round(stage.seconds, 3), "attempts": stage.attempts}
    if stage.notes:
        data["notes"] = list(stage.notes)
    return data


def _told(made: BaseModel) -> dict[str, JsonValue]:
    """An artifact's JSON without what is empty, but with each field that the artifact always has."""
    whole = made.model_dump(mode="json", exclude=getattr(made, "response_exclude", None))
    required = {name for name, info in type(made).model_fields.items() if info.is_required()}
    always = {name: value for name, value in whole.items() if name in required}
    shown: dict[str, JsonValue] = compact(whole)
    return {name: shown.get(name, always.get(name)) for name in whole if name in shown or name in always}


def compact(value: Any) -> Any:
    """JSON without nulls, empty texts and empty collections: an assistant pays for every character.

    A `value` that is null stays: it is the answer that something is unknown.
    """
    if isinstance(value, dict):
        items = {key: compact(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if key == "value" or item not in (None, "", [], {})}
    if isinstance(value, list):
        return [compact(item) for item in value]
    return value


def _plain(response: PipelineResponse, products: Iterable[type[BaseModel]], data: dict[str, JsonValue]) -> str:
    """A run that made nothing which has words of its own: what it made as it is."""
    lines = [f"{response.pipeline}: {response.status} in {response.seconds:.1f} s"]
    made = [name for name in map(product_name, products) if name in data]
    lines += [f"{name}: {json.dumps(data[name], ensure_ascii=False)[:_SHOWN]}" for name in made]
    return "\n".join(lines)


def _foretold(response: PipelineResponse) -> str:
    lines = [f"dry run of {response.pipeline}: nothing was changed"]
    lines += [
        f"- {stage.name}: {'; '.join(stage.notes) or _REHEARSED.get(stage.status, stage.status)}"
        for stage in response.stages
    ]
    return "\n".join(lines)
