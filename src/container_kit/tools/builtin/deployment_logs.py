"""`deployment-logs`: the end of what an application printed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import ApplicationLog
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin.deploy import TargetName
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class DeploymentLogsInput(ToolInput):
    """Which part of which log."""

    name: Annotated[str, Field(description="Name that it was deployed by")]
    version: Annotated[str, Field(description="As list-deployments names it; default: what serves")] | None = None
    lines: Annotated[int, Field(ge=1, le=2000)] = 100
    deploy_to: TargetName | None = None


async def _planned(_: ToolCall, asked: DeploymentLogsInput) -> PipelineCall:
    return pipeline_call("deployment-logs", asked)


DEPLOYMENT_LOGS = Tool(
    name=ToolName.DEPLOYMENT_LOGS,
    title="Read a deployment's log",
    description=(
        "The last lines that a deployed application printed, without secrets. "
        "Next: mend what they show and deploy again, or rollback-deployment."
    ),
    input=DeploymentLogsInput,
    output=answer_schema(ApplicationLog),
    toolset="deployments",
    effect="read_only",
    work=runs_pipeline(_planned, (ApplicationLog,)),
    idempotent=True,
)
