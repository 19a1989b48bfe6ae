"""`build`: build an image from a repository."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import (
    AllowSecrets,
    CaFile,
    DockerfilePath,
    DryRun,
    ModulePath,
    NewImageName,
    Secrets,
    SourcePath,
    Timeout,
)
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class BuildInput(ToolInput):
    """The arguments of `build`."""

    unlisted: ClassVar[frozenset[str]] = frozenset({"ca_file", "no_cache"})

    path: SourcePath
    module: ModulePath = "."
    tag: NewImageName | None = None
    dockerfile: DockerfilePath | None = None
    target: Annotated[str, Field(description="Stage to build")] | None = None
    build_args: Annotated[dict[str, str], Field(description="Kept in the image")] = Field(default_factory=dict)
    secrets: Secrets = Field(default_factory=dict)
    ca_file: CaFile | None = None
    allow_secrets: AllowSecrets = False
    no_cache: bool = False
    dry_run: DryRun = False
    timeout: Timeout | None = None


BUILD = Tool(
    name=ToolName.BUILD,
    title="Build an image",
    description=(
        "Build an image from the repository's Dockerfile (write-dockerfile generates one). A failure names "
        "instruction, line, exit code and log tail: edit that file, then send the next action. Next: scan or "
        "deploy with this result's run. More arguments: schema://build."
    ),
    input=BuildInput,
    output=result_schema(Image),
    toolset="build",
    effect="additive",
    handler=runs_pipeline("build", (Image,)),
    idempotent=True,
    open_world=True,
)
