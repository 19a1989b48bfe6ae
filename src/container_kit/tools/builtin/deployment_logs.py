"""`deployment-logs`: read the log of a deployed application."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import ApplicationLog
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DeployedName, TargetName
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class DeploymentLogsInput(ToolInput):
    """The arguments of `deployment-logs`."""

    name: DeployedName
    version: Annotated[str, Field(description="From list-deployments; default: active")] | None = None
    lines: Annotated[int, Field(ge=1, le=2000, description="Number of last lines")] = 100
    deploy_to: TargetName | None = None


DEPLOYMENT_LOGS = Tool(
    name=ToolName.DEPLOYMENT_LOGS,
    title="Read a deployment's log",
    description=(
        "Read the last log lines of an application, with secrets redacted. Changes nothing. Next: fix the cause "
        "and deploy again, or rollback-deployment."
    ),
    input=DeploymentLogsInput,
    output=result_schema(ApplicationLog),
    toolset="deployments",
    effect="read_only",
    handler=runs_pipeline("deployment-logs", (ApplicationLog,)),
    idempotent=True,
)
