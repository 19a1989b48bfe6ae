"""`verify`: check a deployed application."""

from __future__ import annotations

from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DeployedName, TargetName
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class VerifyInput(ToolInput):
    """The arguments of `verify`."""

    name: DeployedName
    deploy_to: TargetName | None = None


VERIFY = Tool(
    name=ToolName.VERIFY,
    title="Verify a deployment",
    description=(
        "Check that an application runs, stays up and answers requests. Changes nothing. Next: on failure "
        "deployment-logs or rollback-deployment."
    ),
    input=VerifyInput,
    output=result_schema(Verification),
    toolset="deployments",
    effect="read_only",
    handler=runs_pipeline("verify", (Deployment, Verification)),
    idempotent=True,
)
