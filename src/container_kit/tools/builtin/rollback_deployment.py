"""`rollback-deployment`: an earlier version serves again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import RollbackResult
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun
from container_kit.tools.builtin.deploy import TargetName
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class RollbackDeploymentInput(ToolInput):
    """What to go back to."""

    name: Annotated[str, Field(description="Name that it was deployed by")]
    version: Annotated[str, Field(description="Version, image or image id; default: the one before")] | None = None
    deploy_to: TargetName | None = None
    dry_run: DryRun = False


async def _planned(_: ToolCall, asked: RollbackDeploymentInput) -> PipelineCall:
    return pipeline_call("rollback-deployment", asked)


ROLLBACK_DEPLOYMENT = Tool(
    name=ToolName.ROLLBACK_DEPLOYMENT,
    title="Go back to an earlier version",
    description=(
        "Let an earlier version of an application serve again, within about a second; the version that served is kept. "
        "Next: verify. An image that is not kept any more is deployed again with deploy."
    ),
    input=RollbackDeploymentInput,
    output=answer_schema(RollbackResult),
    toolset="deployments",
    effect="destructive",
    work=runs_pipeline(_planned, (RollbackResult,)),
)
