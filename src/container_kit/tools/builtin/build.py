"""`build`: an image from a repository's Dockerfile."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import CaFile, DryRun, ModulePath, SourcePath, Timeout
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class BuildInput(ToolInput):
    """What to build, and how."""

    path: SourcePath
    module: ModulePath = "."
    tag: Annotated[str, Field(description="name[:tag]; default: folder name")] | None = None
    dockerfile: Annotated[str, Field(description="Relative to path")] | None = None
    target: Annotated[str, Field(description="Stage to stop at")] | None = None
    build_args: Annotated[dict[str, str], Field(description="No secrets: they stay in the image")] = Field(
        default_factory=dict
    )
    secrets: Annotated[dict[str, str], Field(description="id: env:NAME or file:PATH, never the value")] = Field(
        default_factory=dict
    )
    ca_file: CaFile | None = None
    no_cache: bool = False
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(_: ToolCall, asked: BuildInput) -> PipelineCall:
    return pipeline_call("build", asked)


BUILD = Tool(
    name=ToolName.BUILD,
    title="Build an image",
    description=(
        "Build an image from the repository's Dockerfile (write-dockerfile makes one). A failure names "
        "instruction, line, exit code and log tail: edit that file, then send the fault's next action. Next: scan "
        "or deploy with run set to the answer's run."
    ),
    input=BuildInput,
    output=answer_schema(Image),
    toolset="build",
    effect="additive",
    work=runs_pipeline(_planned, (Image,)),
    idempotent=True,
    open_world=True,
)
