"""The argument that most tools for images share: exactly one of a folder, an image or an earlier run."""

from __future__ import annotations

from pydantic import ConfigDict, JsonValue, model_validator

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.docker.image_reference import short_name
from container_kit.tools.builtin._fields import ImageName, ImageRunId, SourcePath
from container_kit.tools.tool import ToolCall, ToolInput

RUN_WITHOUT_IMAGE = FaultCode(
    "run.no_image",
    means="The run to continue from has not built an image.",
    hint="Pass the id of a run of build or full-deployment that built an image, or pass path or image instead.",
)


class ImageSourceInput(ToolInput):
    """Exactly one of a folder, an image or an earlier run."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    path: SourcePath | None = None
    image: ImageName | None = None
    run: ImageRunId | None = None

    @model_validator(mode="after")
    def _require_exactly_one(self) -> ImageSourceInput:
        if sum(value is not None for value in (self.path, self.image, self.run)) != 1:
            raise ValueError("pass exactly one of path, image and run")
        return self


async def image_of_run(call: ToolCall, run_id: str) -> Image:
    """Return the image that an earlier run of the caller built.

    Raises:
        StageFailure: The run does not exist, or `run.no_image`.
    """
    artifacts = await call.runs.backend(run_id).artifacts(run_id, call.principal)
    image = artifacts.get(Image)
    if image is None or not image.id:
        run = await call.runs.backend(run_id).get(run_id, call.principal)
        raise RUN_WITHOUT_IMAGE(
            f"run {run_id} of {run.pipeline} ({run.status}) has not built an image",
            next_actions=[_build_action(artifacts.get(Source))],
        )
    return image


def application_name(image: Image) -> str:
    """Return the default application name of an image: the last part of its name, without the tag."""
    return short_name(image.reference)


def _build_action(source: Source | None) -> NextAction:
    """Return the call that leads to a run with an image."""
    if source is None:
        why = "Find the run that built the image."
        return NextAction(tool=ToolName.LIST_RUNS, arguments={"status": "success"}, why=why)
    arguments: dict[str, JsonValue] = {"path": source.path}
    arguments |= {"module": source.module} if source.module != "." else {}
    why = "Build an image, then pass the id of that run."
    return NextAction(tool=ToolName.BUILD, arguments=arguments, why=why)
