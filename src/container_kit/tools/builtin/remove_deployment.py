"""`remove-deployment`: remove a deployed application."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import RemovalResult
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DeployedName, DryRun, TargetName
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class RemoveDeploymentInput(ToolInput):
    """The arguments of `remove-deployment`."""

    name: DeployedName
    volumes: Annotated[bool, Field(description="Also delete its volumes for good")] = False
    deploy_to: TargetName | None = None
    dry_run: DryRun = False


REMOVE_DEPLOYMENT = Tool(
    name=ToolName.REMOVE_DEPLOYMENT,
    title="Remove a deployment",
    description=("Stop and remove an application with all its versions; its images stay. Next: list-deployments."),
    input=RemoveDeploymentInput,
    output=result_schema(RemovalResult),
    toolset="deployments",
    effect="destructive",
    handler=runs_pipeline("remove-deployment", (RemovalResult,)),
    idempotent=True,
)
