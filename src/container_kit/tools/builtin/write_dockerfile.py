"""`write-dockerfile`: a Dockerfile and .dockerignore that fit the repository."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun, ModulePath, SourcePath
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class WriteDockerfileInput(ToolInput):
    """For which repository, and what the caller decides."""

    path: SourcePath
    module: ModulePath = "."
    start_command: str | None = None
    port: Annotated[int, Field(ge=1, le=65535, description="Port the application listens on")] | None = None
    base_images: Annotated[dict[str, str], Field(description="Usual base image: the one to use instead")] = Field(
        default_factory=dict
    )
    write: Annotated[bool, Field(description="False only proposes")] = True
    overwrite: Annotated[bool, Field(description="Replace a hand-written one; it is kept")] = False
    dry_run: DryRun = False


async def _planned(_: ToolCall, asked: WriteDockerfileInput) -> PipelineCall:
    return pipeline_call("write-dockerfile", asked)


WRITE_DOCKERFILE = Tool(
    name=ToolName.WRITE_DOCKERFILE,
    title="Write a Dockerfile",
    description=(
        "Write a Dockerfile and .dockerignore that fit the repository, each choice with its reason. A hand-written "
        "one stays unless overwrite. Next: build."
    ),
    input=WriteDockerfileInput,
    output=answer_schema(Dockerfile),
    toolset="build",
    effect="additive",
    work=runs_pipeline(_planned, (Dockerfile,)),
    idempotent=True,
)
