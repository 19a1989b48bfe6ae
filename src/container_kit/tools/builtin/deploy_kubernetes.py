"""`deploy-kubernetes`: an image, a repository or a user's own manifests as a rollout in a cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment
from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.tools.builtin._fields import FailOn, OneTarget, gate, image_of
from container_kit.tools.builtin._kubernetes_fields import ApplicationInput, Context, OnFirstFailure, TargetName
from container_kit.tools.builtin.deploy import application_name
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall


class DeployKubernetesInput(ApplicationInput, OneTarget):
    """What to deploy, where, and how."""

    build: Annotated[bool, Field(description="Analyze, build and scan path first")] = False
    fail_on: FailOn = "critical"
    manifests: Annotated[str, Field(description="Own files, folder or kustomization below path")] | None = None
    deploy_to: TargetName | None = None
    kube_context: Context | None = None
    create_namespace: bool = False
    registry: (
        Annotated[str, Field(description="host[:port][/path] to push to; kind, k3d, minikube need none")] | None
    ) = None
    force_conflicts: Annotated[bool, Field(description="Take fields that others manage, such as kubectl")] = False
    on_first_failure: OnFirstFailure = "delete"
    rollout_timeout: Annotated[float, Field(gt=0, le=3600)] = 300.0

    @model_validator(mode="after")
    def _of_a_folder(self) -> DeployKubernetesInput:
        if self.path is None and (self.build or self.manifests is not None):
            raise ValueError("build and manifests need path")
        return self


async def _planned(call: ToolCall, asked: DeployKubernetesInput) -> PipelineCall:
    if asked.build:
        made = pipeline_call("full-deployment-kubernetes", asked, build=None)
        return PipelineCall(made.pipeline, gate(made.input), made.options)
    left_out = dict.fromkeys(("build", "fail_on"))
    if asked.manifests is not None:
        return pipeline_call("deploy-manifests", asked, **left_out)
    if asked.path is not None:
        return pipeline_call("deploy-kubernetes-source", asked, **left_out)
    if asked.image is not None and "@sha256:" in asked.image:
        return pipeline_call("deploy-kubernetes-pinned", asked, **left_out, module=None)
    if asked.run is not None:
        image = await image_of(call, asked.run)
        name = asked.name or application_name(image)
        return pipeline_call("deploy-kubernetes", asked, **left_out, module=None, run=None, image=image.id, name=name)
    return pipeline_call("deploy-kubernetes", asked, **left_out, module=None)


_PRODUCTS = (Image, ScanReport, PushedImage, KubernetesDeployment, Verification)

DEPLOY_KUBERNETES = Tool(
    name="deploy-kubernetes",
    title="Deploy to Kubernetes",
    description=(
        "Roll out to a cluster and say within seconds why it fails: image (name@sha256:... from a registry as it "
        "stands, else one of the local engine, which is pushed or loaded), run, path for the newest image built from "
        "it (build=true builds it first), or manifests below path. Checked on the server before anything changes; a "
        "failed rollout is undone. Next: verify-kubernetes, or mend what the fault names; rollback-run goes back."
    ),
    input=DeployKubernetesInput,
    output=answer_schema(KubernetesDeployment, Verification, Image, PushedImage, ScanReport),
    toolset="kubernetes",
    effect="destructive",
    work=runs_pipeline(_planned, _PRODUCTS),
    open_world=True,
)
