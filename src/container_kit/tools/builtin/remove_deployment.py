"""`remove-deployment`: an application goes, with all its versions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import RemovalResult
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun
from container_kit.tools.builtin.deploy import TargetName
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class RemoveDeploymentInput(ToolInput):
    """What to remove."""

    name: Annotated[str, Field(description="Name that it was deployed by")]
    volumes: Annotated[bool, Field(description="Its stored data too; it cannot be had back")] = False
    deploy_to: TargetName | None = None
    dry_run: DryRun = False


async def _planned(_: ToolCall, asked: RemoveDeploymentInput) -> PipelineCall:
    return pipeline_call("remove-deployment", asked)


REMOVE_DEPLOYMENT = Tool(
    name=ToolName.REMOVE_DEPLOYMENT,
    title="Remove a deployment",
    description=(
        "Stop and remove an application with all its versions; its volumes and images stay unless volumes is true. "
        "Next: list-deployments shows what is left."
    ),
    input=RemoveDeploymentInput,
    output=answer_schema(RemovalResult),
    toolset="deployments",
    effect="destructive",
    work=runs_pipeline(_planned, (RemovalResult,)),
    idempotent=True,
)
