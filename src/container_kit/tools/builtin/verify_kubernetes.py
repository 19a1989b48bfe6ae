"""`verify-kubernetes`: check an application in a cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import Timeout
from container_kit.tools.builtin._kubernetes_fields import KubeContext, KubernetesTarget, Namespace
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput

RUN_WITHOUT_DEPLOYMENT = FaultCode(
    "run.no_deployment",
    means="The run has not deployed anything to a cluster.",
    hint="Pass the id of a run that did, or the name and namespace of the application.",
)


class VerifyKubernetesInput(ToolInput):
    """The arguments of `verify-kubernetes`."""

    run: Annotated[str, Field(description="Id of the run that deployed it")] | None = None
    name: Annotated[str, Field(description="Name of its Deployment")] | None = None
    namespace: Namespace | None = None
    kube_context: KubeContext | None = None
    deploy_to: KubernetesTarget | None = None
    timeout: Timeout | None = None

    @model_validator(mode="after")
    def _require_run_or_name(self) -> VerifyKubernetesInput:
        if (self.run is None) == (self.name is None):
            raise ValueError("pass exactly one of run and name")
        return self


async def _prepare(call: ToolCall, arguments: VerifyKubernetesInput) -> PipelineCall:
    if arguments.run is None:
        return pipeline_call("verify-kubernetes", arguments)
    artifacts = await call.runs.backend(arguments.run).artifacts(arguments.run, call.principal)
    deployed = artifacts.get(KubernetesDeployment)
    if deployed is None or not deployed.deployments:
        action = NextAction(tool=ToolName.LIST_RUNS, arguments={"status": "success"}, why="Find the run that deployed.")
        raise RUN_WITHOUT_DEPLOYMENT(f"run {arguments.run} has not deployed to a cluster", next_actions=[action])
    changes = {"name": deployed.deployments[0], "namespace": deployed.namespace, "kube_context": deployed.context}
    return pipeline_call("verify-kubernetes", arguments, run=None, **changes)


VERIFY_KUBERNETES = Tool(
    name=ToolName.VERIFY_KUBERNETES,
    title="Verify an application in a cluster",
    description=(
        "Check an application in a cluster: replicas, restarts, endpoints, an HTTP request through the API server, "
        "ingress and TLS. Checks that were not possible are reported as not_checked, never as ok. Changes nothing. "
        "Next: fix what failed and deploy-kubernetes again."
    ),
    input=VerifyKubernetesInput,
    output=result_schema(Verification, KubernetesDeployment),
    toolset="kubernetes",
    effect="read_only",
    handler=runs_pipeline(_prepare, (Verification, KubernetesDeployment)),
    idempotent=True,
    open_world=True,
)
