"""Arguments that several tools share, and what follows from them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, model_validator

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.tool import ToolCall, ToolInput

SourcePath = Annotated[str, Field(description="Repository folder")]
ModulePath = Annotated[str, Field(description="Module of a monorepo")]
RunId = Annotated[str, Field(description="Run that built the image")]
ImageName = Annotated[str, Field(description="Image in the local engine")]
CaFile = Annotated[str, Field(description="CA to trust (PEM file)")]
DryRun = Annotated[bool, Field(description="Only say what would be done")]
Timeout = Annotated[float, Field(gt=0, description="Seconds")]
FailOn = Annotated[Literal["low", "medium", "high", "critical", "never"], Field(description="Refuse findings this bad")]

RUN_WITHOUT_IMAGE = FaultCode(
    "run.no_image",
    means="The run to continue from made no image.",
    hint="Give the id of a run of build or full-deployment that built one, or a path or an image.",
)


class OneTarget(ToolInput):
    """What to work on: exactly one of a folder, an image or an earlier run."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    path: SourcePath | None = None
    image: ImageName | None = None
    run: RunId | None = None

    @model_validator(mode="after")
    def _one(self) -> OneTarget:
        if sum(value is not None for value in (self.path, self.image, self.run)) != 1:
            raise ValueError("give exactly one of path, image and run")
        return self


async def image_of(call: ToolCall, run_id: str) -> Image:
    """The image that an earlier run of the caller made.

    Raises:
        StageFailure: `run.unknown` or `run.no_image`.
    """
    of_run = await call.runs.artifacts(run_id, call.principal)
    made, source = of_run.get(Image), of_run.get(Source)
    if made is None or not made.id:
        run = await call.runs.get(run_id, call.principal)
        raise RUN_WITHOUT_IMAGE(
            f"run {run_id} of {run.pipeline} ({run.status}) made no image", next_actions=_builds(source)
        )
    return made


def _builds(source: Source | None) -> list[NextAction]:
    """What leads to a run that has an image."""
    if source is None:
        return [
            NextAction(
                tool=ToolName.LIST_RUNS, arguments={"status": "success"}, why="find the run that built the image"
            )
        ]
    where: dict[str, JsonValue] = {"path": source.path}
    where |= {"module": source.module} if source.module != "." else {}
    return [NextAction(tool=ToolName.BUILD, arguments=where, why="build an image; then give the id of that run")]


def gate(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The fields of a request with `fail_on: never` in the words of the scan policy."""
    return {**fields, "fail_on": None} if fields.get("fail_on") == "never" else fields


def parsed(arguments: dict[str, Any], model: type[ToolInput]) -> dict[str, Any]:
    """Arguments with objects and lists that came as JSON text made what they are; some clients send them so."""
    return {name: _parsed(value, name, model) for name, value in arguments.items()}


def _parsed(value: Any, name: str, model: type[ToolInput]) -> Any:
    field = model.model_fields.get(name)
    if not isinstance(value, str) or field is None or not value.lstrip().startswith(("{", "[")):
        return value
    if not any(kind in str(field.annotation) for kind in ("dict", "tuple", "list")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
