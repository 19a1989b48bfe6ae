"""`tag`: give an image another name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.push import TaggedImage
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun, Timeout
from container_kit.tools.builtin._image_source import ImageSourceInput, image_of_run
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall


class TagInput(ImageSourceInput):
    """The arguments of `tag`."""

    name: Annotated[str, Field(description="New name[:tag]; moved from any image that has it")]
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _prepare(call: ToolCall, arguments: TagInput) -> PipelineCall:
    if arguments.path is not None:
        return pipeline_call("tag-source", arguments)
    if arguments.run is None:
        return pipeline_call("tag", arguments)
    return pipeline_call("tag", arguments, run=None, image=(await image_of_run(call, arguments.run)).id)


TAG = Tool(
    name=ToolName.TAG,
    title="Tag an image",
    description=(
        "Give an image in the local engine another name. Pass image, the run that built it, or path for the newest "
        "image built from that folder. If the name exists, it moves to this image; rollback-run moves it back. "
        "Next: push it, or deploy it by that name."
    ),
    input=TagInput,
    output=result_schema(TaggedImage),
    toolset="registry",
    effect="destructive",
    handler=runs_pipeline(_prepare, (TaggedImage,)),
    idempotent=True,
)
