"""`control-deployment`: stop, start or restart a deployed application."""

from __future__ import annotations

from typing import Literal

from container_kit.stages.artifacts.deployments import ControlResult
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DeployedName, DryRun, TargetName
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class ControlDeploymentInput(ToolInput):
    """The arguments of `control-deployment`."""

    name: DeployedName
    action: Literal["stop", "start", "restart"]
    deploy_to: TargetName | None = None
    dry_run: DryRun = False


CONTROL_DEPLOYMENT = Tool(
    name=ToolName.CONTROL_DEPLOYMENT,
    title="Stop or start a deployment",
    description="Stop, start or restart an application; versions and volumes stay. Next: verify.",
    input=ControlDeploymentInput,
    output=result_schema(ControlResult),
    toolset="deployments",
    effect="destructive",
    handler=runs_pipeline("control-deployment", (ControlResult,)),
    idempotent=True,
)
