"""`exec-deployment`: run a one-off command in a deployed application."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployments import CommandResult
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DeployedName, DryRun, TargetName
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class ExecDeploymentInput(ToolInput):
    """The arguments of `exec-deployment`."""

    name: DeployedName
    command: Annotated[tuple[str, ...], Field(min_length=1, max_length=100, description="Program and arguments")]
    seconds: Annotated[float, Field(gt=0, le=600, description="Time limit of the command")] = 60.0
    deploy_to: TargetName | None = None
    dry_run: DryRun = False


EXEC_DEPLOYMENT = Tool(
    name=ToolName.EXEC_DEPLOYMENT,
    title="Run a command in a deployment",
    description=(
        "Run a one-off command in an application's container, such as a migration; the result has exit code and "
        "output. Next: deployment-logs or verify."
    ),
    input=ExecDeploymentInput,
    output=result_schema(CommandResult),
    toolset="deployments",
    effect="destructive",
    handler=runs_pipeline("exec-deployment", (CommandResult,)),
)
