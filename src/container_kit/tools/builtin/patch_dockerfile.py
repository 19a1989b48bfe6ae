"""`patch-dockerfile`: apply patches of a review."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun, ModulePath, SourcePath
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class PatchDockerfileInput(ToolInput):
    """The arguments of `patch-dockerfile`."""

    path: SourcePath
    module: ModulePath = "."
    ids: Annotated[tuple[str, ...], Field(description="Ids of problems; default: all compatible patches")] = ()
    checksum: Annotated[str, Field(description="From the review; rejects a file edited since")] | None = None
    dry_run: DryRun = False


PATCH_DOCKERFILE = Tool(
    name=ToolName.PATCH_DOCKERFILE,
    title="Patch a Dockerfile",
    description=(
        "Apply patches that review-dockerfile proposed. The original is kept as Dockerfile.RUN.orig; rollback-run "
        "restores it. If a patch no longer applies, nothing is written. Next: build."
    ),
    input=PatchDockerfileInput,
    output=result_schema(Dockerfile),
    toolset="dockerfile",
    effect="destructive",
    handler=runs_pipeline("patch-dockerfile", (Dockerfile,)),
)
