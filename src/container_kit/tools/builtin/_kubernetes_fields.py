"""Arguments of the tools for clusters: how an application is described for Kubernetes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from container_kit.tools.builtin._fields import DryRun, ModulePath, Timeout
from container_kit.tools.tool import ToolInput

Name = Annotated[str, Field(description="A DNS label; the same name replaces")]
Namespace = Annotated[str, Field(description="Default: the target's or the context's")]
Context = Annotated[str, Field(description="Of the kubeconfig; default: its current one")]
TargetName = Annotated[str, Field(description="Configured target; default: the only one of kind kubernetes")]
References = dict[str, str]


class ApplicationInput(ToolInput):
    """What manifests say of an application."""

    module: ModulePath = "."
    name: Name | None = None
    namespace: Namespace | None = None
    replicas: Annotated[int, Field(ge=1, le=500)] = 2
    max_replicas: Annotated[int, Field(ge=1, le=500, description="Above replicas: autoscaling on cpu")] | None = None
    port: Annotated[int, Field(ge=1, le=65535, description="The application listens on it")] | None = None
    health_path: Annotated[str, Field(description="Probed with GET; default: from the analysis, else TCP")] | None = (
        None
    )
    startup_timeout: Annotated[int, Field(ge=5, le=3600, description="How long a start may take")] = 60
    cpu: str = "100m"
    cpu_limit: str = "1"
    memory: str = "128Mi"
    memory_limit: str = "256Mi"
    env: Annotated[dict[str, str], Field(description="Literal values, never secrets")] = Field(default_factory=dict)
    secret_env: Annotated[References, Field(description="Variable: SECRET/KEY")] = Field(default_factory=dict)
    config_env: Annotated[References, Field(description="Variable: CONFIGMAP/KEY")] = Field(default_factory=dict)
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    writable_paths: Annotated[tuple[str, ...], Field(description="The root file system is read-only")] = ()
    run_as_user: Annotated[int, Field(ge=1)] | None = None
    pull_secret: str | None = None
    host: Annotated[str, Field(description="Makes an Ingress")] | None = None
    ingress_class: str | None = None
    tls_secret: str | None = None
    egress_ports: Annotated[tuple[int, ...], Field(description="TCP ports it may connect to")] = (443,)
    dry_run: DryRun = False
    timeout: Timeout | None = None


OnFirstFailure = Literal["delete", "scale_to_zero", "keep"]
