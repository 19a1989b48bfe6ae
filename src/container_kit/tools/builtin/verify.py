"""`verify`: a deployment is looked at from outside."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin.deploy import TargetName
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class VerifyInput(ToolInput):
    """What to check."""

    name: Annotated[str, Field(description="Name that it was deployed by")]
    deploy_to: TargetName | None = None


async def _planned(_: ToolCall, asked: VerifyInput) -> PipelineCall:
    return pipeline_call("verify", asked)


VERIFY = Tool(
    name=ToolName.VERIFY,
    title="Verify a deployment",
    description=(
        "Check that a deployed application runs, stays up and answers, and say what could not be checked. "
        "Next: on failure read deployment-logs, then deploy again or rollback-deployment."
    ),
    input=VerifyInput,
    output=answer_schema(Deployment, Verification),
    toolset="deployments",
    effect="read_only",
    work=runs_pipeline(
        _planned,
        (
            Deployment,
            Verification,
        ),
    ),
    idempotent=True,
)
