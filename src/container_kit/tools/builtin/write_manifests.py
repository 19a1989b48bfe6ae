"""`write-manifests`: generate Kubernetes manifests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from container_kit.stages.artifacts.kubernetes import ManifestFiles
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import SourcePath
from container_kit.tools.builtin._kubernetes_fields import KubernetesAppInput
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool


class WriteManifestsInput(KubernetesAppInput):
    """The arguments of `write-manifests`."""

    path: SourcePath
    image: Annotated[str, Field(description="Reference the nodes pull, preferably with @sha256:...")]
    layout: Annotated[Literal["files", "kustomize", "helm"], Field(description="Plain files, base or chart")] = "files"
    folder: Annotated[str, Field(description="Output folder, relative to path")] = "k8s"


WRITE_MANIFESTS = Tool(
    name=ToolName.WRITE_MANIFESTS,
    title="Write Kubernetes manifests",
    description=(
        "Generate Kubernetes manifests for a repository: Deployment, Service, ServiceAccount, NetworkPolicy and "
        "PodDisruptionBudget; with host an Ingress, with max_replicas an autoscaler. They pass Pod Security "
        "restricted. Files of the same name are replaced; rollback-run restores them. Next: deploy-kubernetes with "
        "manifests set to the folder."
    ),
    input=WriteManifestsInput,
    output=result_schema(ManifestFiles),
    toolset="kubernetes",
    effect="destructive",
    handler=runs_pipeline("write-manifests", (ManifestFiles,)),
    idempotent=True,
)
