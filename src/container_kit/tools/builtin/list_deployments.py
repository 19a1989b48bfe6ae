"""`list-deployments`: list deployed applications."""

from __future__ import annotations

from container_kit.stages.artifacts.deployments import Applications
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DeployedName, TargetName
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class ListDeploymentsInput(ToolInput):
    """The arguments of `list-deployments`."""

    name: DeployedName | None = None
    deploy_to: TargetName | None = None


LIST_DEPLOYMENTS = Tool(
    name=ToolName.LIST_DEPLOYMENTS,
    title="List deployments",
    description=(
        "List deployed applications with URL, active version and earlier versions. Changes nothing. "
        "Next: another deployment tool."
    ),
    input=ListDeploymentsInput,
    output=result_schema(Applications),
    toolset="deployments",
    effect="read_only",
    handler=runs_pipeline("list-deployments", (Applications,)),
    idempotent=True,
)
