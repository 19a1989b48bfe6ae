"""`write-manifests`: Kubernetes manifests as files, a kustomize base, or a Helm chart."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from container_kit.stages.artifacts.kubernetes import ManifestFiles
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import SourcePath
from container_kit.tools.builtin._kubernetes_fields import ApplicationInput
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall


class WriteManifestsInput(ApplicationInput):
    """For which repository and image, and in which form."""

    path: SourcePath
    image: Annotated[str, Field(description="As the nodes pull it, best with @sha256:...")]
    layout: Literal["files", "kustomize", "helm"] = "files"
    folder: Annotated[str, Field(description="Relative to path")] = "k8s"


async def _planned(_: ToolCall, asked: WriteManifestsInput) -> PipelineCall:
    return pipeline_call("write-manifests", asked)


WRITE_MANIFESTS = Tool(
    name=ToolName.WRITE_MANIFESTS,
    title="Write Kubernetes manifests",
    description=(
        "Write manifests for a repository: Deployment, Service, ServiceAccount, NetworkPolicy, PodDisruptionBudget, "
        "with host an Ingress, with max_replicas an autoscaler. They pass Pod Security restricted. Files of the same "
        "name are replaced; rollback-run brings them back. Next: deploy-kubernetes with manifests=folder."
    ),
    input=WriteManifestsInput,
    output=answer_schema(ManifestFiles),
    toolset="kubernetes",
    effect="destructive",
    work=runs_pipeline(_planned, (ManifestFiles,)),
    idempotent=True,
)
