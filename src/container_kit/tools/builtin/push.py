"""`push`: an image to a registry, and the digest that the registry confirms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun, OneTarget, Timeout, image_of
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall


class PushInput(OneTarget):
    """What to push, and where to."""

    repository: Annotated[str, Field(description="[registry[:port]/]path, without a tag")]
    tag: Annotated[str, Field(description="Default: the image's own")] | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(call: ToolCall, asked: PushInput) -> PipelineCall:
    if asked.path is not None:
        return pipeline_call("push-source", asked)
    if asked.run is None:
        return pipeline_call("push", asked)
    image = await image_of(call, asked.run)
    return pipeline_call("push", asked, run=None, image=image.id, tag=asked.tag or image.reference.rpartition(":")[2])


PUSH = Tool(
    name=ToolName.PUSH,
    title="Push an image to a registry",
    description=(
        "Push an image (image, the run that built it, or path for the newest image built from it) to a registry. "
        "Credentials are those of docker login or of the server's environment, never arguments. The digest is read "
        "back from the registry. Next: deploy pushed_image.pinned, which nobody can move; rollback-run takes the "
        "push back."
    ),
    input=PushInput,
    output=answer_schema(PushedImage),
    toolset="registry",
    effect="destructive",
    work=runs_pipeline(_planned, (PushedImage,)),
    idempotent=True,
    open_world=True,
)
