"""`list-deployments`: what is deployed, and what can be gone back to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import Applications
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin.deploy import TargetName
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class ListDeploymentsInput(ToolInput):
    """Which applications."""

    name: Annotated[str, Field(description="Name that it was deployed by")] | None = None
    deploy_to: TargetName | None = None


async def _planned(_: ToolCall, asked: ListDeploymentsInput) -> PipelineCall:
    return pipeline_call("list-deployments", asked)


LIST_DEPLOYMENTS = Tool(
    name=ToolName.LIST_DEPLOYMENTS,
    title="List deployments",
    description=(
        "What is deployed on a target: each application with its url, the version that serves and those that are kept. "
        "Next: deployment-logs, verify, rollback-deployment or remove-deployment for one of them."
    ),
    input=ListDeploymentsInput,
    output=answer_schema(Applications),
    toolset="deployments",
    effect="read_only",
    work=runs_pipeline(_planned, (Applications,)),
    idempotent=True,
)
