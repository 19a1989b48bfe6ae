"""`tag`: another name for an image of the local engine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.push import TaggedImage
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun, OneTarget, Timeout, image_of
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall


class TagInput(OneTarget):
    """What to name, and how."""

    name: Annotated[str, Field(description="name[:tag]; what bore it before loses it")]
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(call: ToolCall, asked: TagInput) -> PipelineCall:
    if asked.path is not None:
        return pipeline_call("tag-source", asked)
    if asked.run is None:
        return pipeline_call("tag", asked)
    return pipeline_call("tag", asked, run=None, image=(await image_of(call, asked.run)).id)


TAG = Tool(
    name=ToolName.TAG,
    title="Name an image",
    description=(
        "Give an image of the local engine (image, the run that built it, or path for the newest image built from "
        "it) another name. Next: push it, or deploy it by that name; rollback-run gives the name back to what bore "
        "it before."
    ),
    input=TagInput,
    output=answer_schema(TaggedImage),
    toolset="registry",
    effect="destructive",
    work=runs_pipeline(_planned, (TaggedImage,)),
    idempotent=True,
)
