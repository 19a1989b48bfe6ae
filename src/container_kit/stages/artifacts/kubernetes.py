"""Deploying to Kubernetes: what may be chosen, what is applied, and what became of it."""

from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.contract.artifact import Artifact

Layout = Literal["files", "kustomize", "helm"]


class KubernetesOptions(Artifact):
    """How an application is deployed to a cluster. Every text is checked before it reaches a manifest."""

    name: str | None = None
    """The application's name, a DNS label; by default the module's or the image's."""
    namespace: str | None = None
    """By default that of the kubeconfig's context, else `default`."""
    kube_context: str | None = None
    """The kubeconfig's context; by default its current one."""
    create_namespace: bool = False
    """Make the namespace, enforcing Pod Security `restricted`, where it is missing."""
    manifests: str | None = None
    """A file or folder (also with a kustomization.yaml) of the user's own manifests, relative to the source; nothing is
    generated then."""
    registry: str | None = None
    """Where the image is pushed, for example `registry.example.com/team`; by default what the context offers."""
    pull_secret: str | None = None
    """The name of a Secret of type kubernetes.io/dockerconfigjson in the namespace."""
    replicas: int = Field(default=2, ge=1, le=500)
    max_replicas: int | None = Field(default=None, ge=1, le=500)
    """Above `replicas` it makes an autoscaler (HPA) on cpu."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port that the application listens on; by default from the analysis or the image's EXPOSE."""
    health_path: str | None = None
    """The path that the probes GET; by default that of the analysis, else a TCP probe is used."""
    startup_timeout: int = Field(default=60, ge=5, le=3600)
    """How long a start may take: the startup probe's budget."""
    cpu: str = "100m"
    cpu_limit: str = "1"
    memory: str = "128Mi"
    memory_limit: str = "256Mi"
    """Quantities; requests must not exceed limits."""
    env: dict[str, str] = Field(default_factory=dict)
    """Literal values; one that looks like a secret is refused."""
    secret_env: dict[str, str] = Field(default_factory=dict)
    """From variable to `SECRET/KEY`: a reference to a Secret that is in the namespace."""
    config_env: dict[str, str] = Field(default_factory=dict)
    """From variable to `CONFIGMAP/KEY`."""
    command: tuple[str, ...] = ()
    """Replaces the image's ENTRYPOINT."""
    args: tuple[str, ...] = ()
    """Replaces the image's CMD."""
    writable_paths: tuple[str, ...] = ()
    """Folders beside /tmp that get an emptyDir, for the root file system is read-only."""
    run_as_user: int | None = Field(default=None, ge=1, le=2**31 - 1)
    """By default the image's numeric user, else 10001."""
    labels: dict[str, str] = Field(default_factory=dict)
    host: str | None = None
    """A host name makes an Ingress."""
    ingress_class: str | None = None
    ingress_namespace: str = "ingress-nginx"
    """The namespace of the ingress controller, which the NetworkPolicy lets in."""
    tls_secret: str | None = None
    """A Secret of type kubernetes.io/tls for the host."""
    egress_ports: tuple[int, ...] = (443,)
    """TCP ports that the pods may connect to beside DNS and the services that the analysis found."""
    force_conflicts: bool = False
    """Take ownership of fields that another field manager owns, such as kubectl after `rollout undo`."""
    rollout_timeout: float = Field(default=300.0, gt=0, le=3600)
    """Seconds within which the rollout must have succeeded."""
    on_first_failure: Literal["delete", "scale_to_zero", "keep"] = "delete"
    """What undo does with a Deployment that had no earlier revision."""


class Cluster(Artifact):
    """A cluster that was looked at before anything was built for it."""

    context: str
    server: str
    version: str
    """As the API tells it, for example `v1.36.1`."""
    namespace: str
    namespace_uid: str | None = None
    """Set where the namespace was made for this deployment, so that it can be taken away again."""
    delivery: Literal["registry", "kind", "k3d", "minikube", "shared"]
    """How an image gets to its nodes; `shared` where they use the local engine's images."""
    registry: str | None = None
    """The registry that the cluster's own documentation (local-registry-hosting) or the options name."""
    checks: tuple[Check, ...] = ()


class ClusterImage(Artifact):
    """An image that the cluster's nodes can have."""

    reference: str
    """`repository:tag@sha256:…` from a registry; `repository:tag` where it was loaded into the nodes."""
    pull_policy: Literal["Always", "IfNotPresent"] = "Always"
    delivered_by: str = ""


class Manifests(Artifact):
    """The objects to apply, in the order of applying."""

    name: str
    namespace: str
    objects: tuple[dict[str, JsonValue], ...]
    generated: bool = True
    """False where they are the user's own."""
    notes: tuple[str, ...] = ()
    """What a reader should know: a choice that was made, a thing that was left out."""

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The objects of one kind."""
        return [found for found in self.objects if found.get("kind") == kind]


class ManifestLayout(Artifact):
    """How manifests are written."""

    layout: Layout = "files"
    folder: str = "k8s"
    """Relative to the source's root."""


class ManifestFiles(Artifact):
    """Manifests as files, by path."""

    response_exclude: ClassVar[dict[str, Any] | None] = {"replaced": True}

    layout: Layout
    files: dict[str, str]
    folder: str = ""
    """Where they were written; empty where they were not."""
    replaced: dict[str, str | None] = Field(default_factory=dict)
    """What stood in each file before; None where there was none."""


class Applied(Artifact):
    """One object that was applied, and what was there before."""

    kind: str
    api_version: str
    name: str
    namespace: str | None
    uid: str | None = None
    change: Literal["created", "changed", "unchanged", "deleted"]
    before: dict[str, JsonValue] | None = None
    """The manifest that restores what was there: what we had applied, or the bare object where that was another's;
    None for a new object."""


class KubernetesApplication(Artifact):
    """An application in a cluster, by its name."""

    name: str
    """The Deployment's."""
    namespace: str | None = None
    """By default the target's, else that of the kubeconfig's context."""
    kube_context: str | None = None


class KubernetesDeployment(Artifact):
    """An application that was rolled out."""

    response_exclude: ClassVar[dict[str, Any] | None] = {"applied": {"__all__": {"before", "uid", "api_version"}}}

    name: str
    namespace: str
    context: str
    deployments: tuple[str, ...]
    services: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    image: str | None = None
    revision: str | None = None
    seconds: float = 0.0
    """From the apply until it had stayed stable."""
    applied: tuple[Applied, ...] = ()
    warnings: tuple[str, ...] = ()
    """What the API server warned of."""
    on_first_failure: Literal["delete", "scale_to_zero", "keep"] = "delete"
