"""`write-dockerfile`: generate a Dockerfile and a .dockerignore."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import ContainerPort, DryRun, ModulePath, SourcePath
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class WriteDockerfileInput(ToolInput):
    """The arguments of `write-dockerfile`."""

    path: SourcePath
    module: ModulePath = "."
    start_command: Annotated[str, Field(description="Default: detected")] | None = None
    port: ContainerPort | None = None
    base_images: Annotated[dict[str, str], Field(description="Default base image: replacement")] = Field(
        default_factory=dict
    )
    write: Annotated[bool, Field(description="False returns the text only")] = True
    overwrite: Annotated[bool, Field(description="Replace a hand-written Dockerfile; a copy is kept")] = False
    dry_run: DryRun = False


WRITE_DOCKERFILE = Tool(
    name=ToolName.WRITE_DOCKERFILE,
    title="Write a Dockerfile",
    description=(
        "Generate a Dockerfile and .dockerignore for a repository, each decision with its reason. A hand-written "
        "Dockerfile is kept unless overwrite is true. Next: build."
    ),
    input=WriteDockerfileInput,
    output=result_schema(Dockerfile),
    toolset="build",
    effect="additive",
    handler=runs_pipeline("write-dockerfile", (Dockerfile,)),
    idempotent=True,
)
