"""`deploy-kubernetes`: roll out an image, a repository or existing manifests to a cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment
from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.docker.image_reference import ImageReference
from container_kit.tools.builtin._fields import FailOn, scan_policy
from container_kit.tools.builtin._image_source import ImageSourceInput, application_name, image_of_run
from container_kit.tools.builtin._kubernetes_fields import (
    KubeContext,
    KubernetesAppInput,
    KubernetesTarget,
    OnFirstFailure,
)
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall


class DeployKubernetesInput(KubernetesAppInput, ImageSourceInput):
    """The arguments of `deploy-kubernetes`."""

    build: Annotated[bool, Field(description="Analyze, build and scan path first")] = False
    fail_on: FailOn = "critical"
    manifests: Annotated[str, Field(description="Existing files, folder or kustomization, relative to path")] | None = (
        None
    )
    deploy_to: KubernetesTarget | None = None
    kube_context: KubeContext | None = None
    create_namespace: bool = False
    registry: (
        Annotated[str, Field(description="host[:port][/path] to push to; not needed for kind, k3d, minikube")] | None
    ) = None
    force_conflicts: Annotated[bool, Field(description="Take over fields managed by others, e.g. kubectl")] = False
    on_first_failure: OnFirstFailure = "delete"
    rollout_timeout: Annotated[float, Field(gt=0, le=3600, description="Seconds for the rollout")] = 300.0

    @model_validator(mode="after")
    def _require_path(self) -> DeployKubernetesInput:
        if self.path is None and (self.build or self.manifests is not None):
            raise ValueError("build and manifests need path")
        return self


async def _prepare(call: ToolCall, arguments: DeployKubernetesInput) -> PipelineCall:
    if arguments.build:
        prepared = pipeline_call("full-deployment-kubernetes", arguments, build=None)
        return PipelineCall(prepared.pipeline, scan_policy(prepared.input), prepared.options)
    unused = dict.fromkeys(("build", "fail_on"))
    if arguments.manifests is not None:
        return pipeline_call("deploy-manifests", arguments, **unused)
    if arguments.path is not None:
        return pipeline_call("deploy-kubernetes-source", arguments, **unused)
    reference = ImageReference.try_parse(arguments.image or "")
    if reference is not None and reference.digest is not None:
        return pipeline_call("deploy-kubernetes-pinned", arguments, **unused, module=None)
    if arguments.run is not None:
        image = await image_of_run(call, arguments.run)
        name = arguments.name or application_name(image)
        changes = {"module": None, "run": None, "image": image.id, "name": name}
        return pipeline_call("deploy-kubernetes", arguments, **unused, **changes)
    return pipeline_call("deploy-kubernetes", arguments, **unused, module=None)


_OUTPUTS = (Image, ScanReport, PushedImage, KubernetesDeployment, Verification)

DEPLOY_KUBERNETES = Tool(
    name=ToolName.DEPLOY_KUBERNETES,
    title="Deploy to Kubernetes",
    description=(
        "Roll out an application to a Kubernetes cluster and report within seconds why a rollout fails. Pass image "
        "(name@sha256:... is used from its registry; any other image is pushed or loaded from the local engine), run, "
        "path for the newest image built from that folder (build=true builds it first), or path with manifests. "
        "The API server validates everything before anything changes; a failed rollout is undone. Next: "
        "verify-kubernetes; on failure, fix what the fault names. rollback-run restores the previous version."
    ),
    input=DeployKubernetesInput,
    output=result_schema(KubernetesDeployment, Verification, Image, PushedImage, ScanReport),
    toolset="kubernetes",
    effect="destructive",
    handler=runs_pipeline(_prepare, _OUTPUTS),
    open_world=True,
)
