"""`patch-dockerfile`: chosen patches of a review, applied."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun, ModulePath, SourcePath
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class PatchDockerfileInput(ToolInput):
    """Whose Dockerfile, and which patches."""

    path: SourcePath
    module: ModulePath = "."
    ids: Annotated[tuple[str, ...], Field(description="Problems' ids; none: all patches that fit together")] = ()
    checksum: Annotated[str, Field(description="The review's; refuses a file edited since")] | None = None
    dry_run: DryRun = False


async def _planned(_: ToolCall, asked: PatchDockerfileInput) -> PipelineCall:
    return pipeline_call("patch-dockerfile", asked)


PATCH_DOCKERFILE = Tool(
    name=ToolName.PATCH_DOCKERFILE,
    title="Patch a Dockerfile",
    description=(
        "Apply patches that review-dockerfile offered. The file before is kept beside it as Dockerfile.RUN.orig; "
        "rollback-run puts it back. Nothing is written where a patch no longer fits. Next: build."
    ),
    input=PatchDockerfileInput,
    output=answer_schema(Dockerfile),
    toolset="dockerfile",
    effect="destructive",
    work=runs_pipeline(_planned, (Dockerfile,)),
)
