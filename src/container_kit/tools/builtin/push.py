"""`push`: push an image to a registry."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.docker.image_reference import ImageReference
from container_kit.tools.builtin._fields import DryRun, Timeout
from container_kit.tools.builtin._image_source import ImageSourceInput, image_of_run
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall


class PushInput(ImageSourceInput):
    """The arguments of `push`."""

    repository: Annotated[str, Field(description="[registry[:port]/]path, without a tag")]
    tag: Annotated[str, Field(description="Default: the tag of the image")] | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _prepare(call: ToolCall, arguments: PushInput) -> PipelineCall:
    if arguments.path is not None:
        return pipeline_call("push-source", arguments)
    if arguments.run is None:
        return pipeline_call("push", arguments)
    image = await image_of_run(call, arguments.run)
    reference = ImageReference.try_parse(image.reference)
    tag = arguments.tag or (reference.tag if reference else None) or "latest"
    return pipeline_call("push", arguments, run=None, image=image.id, tag=tag)


PUSH = Tool(
    name=ToolName.PUSH,
    title="Push an image to a registry",
    description=(
        "Push an image to a registry and confirm its digest there. Pass image, the run that built it, or path for the "
        "newest image built from that folder. Credentials come from docker login or the server's environment, never "
        "from arguments. Next: deploy pushed_image.pinned, an immutable reference; rollback-run undoes the push."
    ),
    input=PushInput,
    output=result_schema(PushedImage),
    toolset="registry",
    effect="destructive",
    handler=runs_pipeline(_prepare, (PushedImage,)),
    idempotent=True,
    open_world=True,
)
