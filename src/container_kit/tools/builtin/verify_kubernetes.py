"""`verify-kubernetes`: what can be seen of an application in a cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import Timeout
from container_kit.tools.builtin._kubernetes_fields import Context, Namespace, TargetName
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput

RUN_WITHOUT_DEPLOYMENT = FaultCode(
    "run.without_deployment",
    means="The run deployed nothing to a cluster.",
    hint="Give the id of a run that did, or name and namespace of the application.",
)


class VerifyKubernetesInput(ToolInput):
    """Which application: the run that deployed it, or its name."""

    run: Annotated[str, Field(description="Run that deployed it")] | None = None
    name: Annotated[str, Field(description="Its Deployment's")] | None = None
    namespace: Namespace | None = None
    kube_context: Context | None = None
    deploy_to: TargetName | None = None
    timeout: Timeout | None = None

    @model_validator(mode="after")
    def _one(self) -> VerifyKubernetesInput:
        if (self.run is None) == (self.name is None):
            raise ValueError("give exactly one of run and name")
        return self


async def _planned(call: ToolCall, asked: VerifyKubernetesInput) -> PipelineCall:
    if asked.run is None:
        return pipeline_call("verify-kubernetes", asked)
    made = (await call.runs.artifacts(asked.run, call.principal)).get(KubernetesDeployment)
    if made is None or not made.deployments:
        raise RUN_WITHOUT_DEPLOYMENT(
            f"run {asked.run} deployed nothing to a cluster",
            next_actions=[NextAction(why="deploy first", tool=ToolName.DEPLOY_KUBERNETES)]
            if "path" in call.arguments
            else [],
        )
    where = {"namespace": made.namespace, "kube_context": made.context}
    return pipeline_call("verify-kubernetes", asked, run=None, name=made.deployments[0], **where)


VERIFY_KUBERNETES = Tool(
    name=ToolName.VERIFY_KUBERNETES,
    title="Verify an application in a cluster",
    description=(
        "Look at an application in a cluster: replicas, restarts, endpoints, an HTTP answer through the API server, "
        "ingress and TLS. What could not be checked is told as not_checked, never as ok. Next: mend what failed."
    ),
    input=VerifyKubernetesInput,
    output=answer_schema(Verification, KubernetesDeployment),
    toolset="kubernetes",
    effect="read_only",
    work=runs_pipeline(_planned, (Verification, KubernetesDeployment)),
    idempotent=True,
    open_world=True,
)
