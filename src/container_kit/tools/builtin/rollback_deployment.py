"""`rollback-deployment`: switch an application back to an earlier version."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import RollbackResult
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DeployedName, DryRun, TargetName
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class RollbackDeploymentInput(ToolInput):
    """The arguments of `rollback-deployment`."""

    name: DeployedName
    version: Annotated[str, Field(description="Version or image; default: the previous")] | None = None
    deploy_to: TargetName | None = None
    dry_run: DryRun = False


ROLLBACK_DEPLOYMENT = Tool(
    name=ToolName.ROLLBACK_DEPLOYMENT,
    title="Roll back a deployment",
    description=(
        "Switch an application back to an earlier version. The current one is kept. Next: verify, or deploy an image "
        "that is no longer kept."
    ),
    input=RollbackDeploymentInput,
    output=result_schema(RollbackResult),
    toolset="deployments",
    effect="destructive",
    handler=runs_pipeline("rollback-deployment", (RollbackResult,)),
)
