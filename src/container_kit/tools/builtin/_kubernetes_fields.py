"""Arguments that describe an application for Kubernetes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from container_kit.tools.builtin._fields import DryRun, ModulePath, Timeout
from container_kit.tools.tool import ToolInput

KubernetesName = Annotated[str, Field(description="DNS label; redeploying a name replaces it")]
Namespace = Annotated[str, Field(description="Default: namespace of the target or context")]
KubeContext = Annotated[str, Field(description="Context of the kubeconfig; default: the current one")]
KubernetesTarget = Annotated[str, Field(description="Configured target; default: the only Kubernetes target")]
References = dict[str, str]
OnFirstFailure = Annotated[
    Literal["delete", "scale_to_zero", "keep"],
    Field(description="What to do if the first rollout of an application fails"),
]


class KubernetesAppInput(ToolInput):
    """The settings of generated manifests."""

    module: ModulePath = "."
    name: KubernetesName | None = None
    namespace: Namespace | None = None
    replicas: Annotated[int, Field(ge=1, le=500, description="Default: the live number; 2 at first")] | None = None
    max_replicas: Annotated[int, Field(ge=1, le=500, description="Above replicas: autoscale on CPU")] | None = None
    port: Annotated[int, Field(ge=1, le=65535, description="Port the application listens on")] | None = None
    health_path: Annotated[str, Field(description="Path for HTTP probes; default: detected, else TCP")] | None = None
    startup_timeout: Annotated[int, Field(ge=5, le=3600, description="Seconds to start")] = 60
    cpu: Annotated[str, Field(description="Request, in Kubernetes units")] = "100m"
    cpu_limit: str = "1"
    memory: Annotated[str, Field(description="Request, in Kubernetes units")] = "128Mi"
    memory_limit: str = "256Mi"
    env: Annotated[dict[str, str], Field(description="Literal values, no secrets")] = Field(default_factory=dict)
    secret_env: Annotated[References, Field(description="Variable: SECRET/KEY")] = Field(default_factory=dict)
    config_env: Annotated[References, Field(description="Variable: CONFIGMAP/KEY")] = Field(default_factory=dict)
    command: Annotated[tuple[str, ...], Field(description="Replaces ENTRYPOINT")] = ()
    args: Annotated[tuple[str, ...], Field(description="Replaces CMD")] = ()
    writable_paths: Annotated[tuple[str, ...], Field(description="Writable folders; the rest is read-only")] = ()
    run_as_user: Annotated[int, Field(ge=1, description="Numeric user id; default: the image's")] | None = None
    pull_secret: Annotated[str, Field(description="Name of an existing image pull secret")] | None = None
    host: Annotated[str, Field(description="Host name; adds an Ingress")] | None = None
    ingress_class: str | None = None
    tls_secret: str | None = None
    egress_ports: Annotated[tuple[int, ...], Field(description="TCP ports the application may connect to")] = (443,)
    dry_run: DryRun = False
    timeout: Timeout | None = None
