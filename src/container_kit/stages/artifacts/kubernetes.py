"""Deploying to Kubernetes: what may be chosen, what is applied, and what became of it."""

from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.contract.artifact import Artifact

Layout = Literal["files", "kustomize", "helm"]


class KubernetesOptions(Artifact):
    """How an application is deployed to a cluster. Every text is checked before it reaches a manifest."""

    name: str | None = None
    """The application's name, a DNS label; defaults to the module's or the image's name."""
    namespace: str | None = None
    """Defaults to the namespace of the kubeconfig context, else `default`."""
    kube_context: str | None = None
    """The kubeconfig context; defaults to the current context."""
    create_namespace: bool = False
    """Create the namespace if it does not exist, with Pod Security `restricted` enforced."""
    manifests: str | None = None
    """A file or folder of user manifests (or with a kustomization.yaml), relative to the source; nothing is
    generated then."""
    registry: str | None = None
    """The registry to push to, for example `registry.example.com/team`; defaults to the cluster's registry."""
    pull_secret: str | None = None
    """The name of a Secret of type kubernetes.io/dockerconfigjson in the namespace."""
    replicas: int | None = Field(default=None, ge=1, le=500)
    """Defaults to the live number, which the last to set it owns; 2 for a new Deployment."""
    max_replicas: int | None = Field(default=None, ge=1, le=500)
    """A value above the number of replicas creates an autoscaler (HPA) on CPU."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """The port that the application listens on; defaults to the analysis or the image's EXPOSE."""
    health_path: str | None = None
    """The path that the probes GET; defaults to the analysis, else a TCP probe is used."""
    startup_timeout: int = Field(default=60, ge=5, le=3600)
    """Seconds for the startup probe to succeed."""
    cpu: str = "100m"
    cpu_limit: str = "1"
    memory: str = "128Mi"
    memory_limit: str = "256Mi"
    """Quantities; requests must not exceed limits."""
    env: dict[str, str] = Field(default_factory=dict)
    """Literal values; values that look like secrets are rejected."""
    secret_env: dict[str, str] = Field(default_factory=dict)
    """Variables mapped to `SECRET/KEY`, a Secret in the namespace."""
    config_env: dict[str, str] = Field(default_factory=dict)
    """Variables mapped to `CONFIGMAP/KEY`."""
    command: tuple[str, ...] = ()
    """Replaces the image's ENTRYPOINT."""
    args: tuple[str, ...] = ()
    """Replaces the image's CMD."""
    writable_paths: tuple[str, ...] = ()
    """Folders in addition to /tmp that get an emptyDir, because the root file system is read-only."""
    run_as_user: int | None = Field(default=None, ge=1, le=2**31 - 1)
    """Defaults to the image's numeric user, else 10001."""
    labels: dict[str, str] = Field(default_factory=dict)
    host: str | None = None
    """A host name creates an Ingress."""
    ingress_class: str | None = None
    ingress_namespace: str = "ingress-nginx"
    """The namespace of the ingress controller, which the NetworkPolicy admits."""
    tls_secret: str | None = None
    """A Secret of type kubernetes.io/tls for the host."""
    egress_ports: tuple[int, ...] = (443,)
    """TCP ports that the pods may connect to, in addition to DNS and the services of the analysis."""
    force_conflicts: bool = False
    """Take ownership of fields that another field manager owns, such as kubectl after `rollout undo`."""
    rollout_timeout: float = Field(default=300.0, gt=0, le=3600)
    """Seconds for the rollout to succeed."""
    on_first_failure: Literal["delete", "scale_to_zero", "keep"] = "delete"
    """The rollback of a Deployment without an earlier revision."""

    @property
    def initial_replicas(self) -> int:
        """The number of replicas of a new Deployment, and the least of an autoscaler."""
        return 2 if self.replicas is None else self.replicas

    def run_subject(self) -> dict[str, str]:
        """Return the application, if it is named."""
        return {"application": self.name} if self.name else {}


class Cluster(Artifact):
    """A cluster that passed the preflight checks."""

    context: str
    server: str
    version: str
    """The version that the API reports, for example `v1.36.1`."""
    namespace: str
    namespace_uid: str | None = None
    """Set if the namespace was created for this deployment, so that a rollback can remove it."""
    delivery: Literal["registry", "kind", "k3d", "minikube", "shared"]
    """The delivery method of images to the nodes; `shared` if they use the local engine's images."""
    registry: str | None = None
    """The registry that the cluster's documentation (local-registry-hosting) or the options name."""
    checks: tuple[Check, ...] = ()


class ClusterImage(Artifact):
    """An image that the cluster's nodes can pull or have."""

    reference: str
    """`repository:tag@sha256:…` from a registry; `repository:tag` if it was loaded into the nodes."""
    pull_policy: Literal["Always", "IfNotPresent"] = "Always"
    delivered_by: str = ""


class Manifests(Artifact):
    """The objects to apply, in order."""

    name: str
    namespace: str
    objects: tuple[dict[str, JsonValue], ...]
    generated: bool = True
    """False for user manifests."""
    notes: tuple[str, ...] = ()
    """Notes for the reader, such as decisions and omissions."""

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of one kind."""
        return [found for found in self.objects if found.get("kind") == kind]


class ManifestLayout(Artifact):
    """Options of written manifests."""

    layout: Layout = "files"
    folder: str = "k8s"
    """Relative to the source root."""


class ManifestFiles(Artifact):
    """Manifests as files, by path."""

    response_exclude: ClassVar[dict[str, Any] | None] = {"replaced": True, "root": True}

    layout: Layout
    files: dict[str, str]
    root: str = ""
    """The root of the source tree; empty if the files were not written."""
    folder: str = ""
    """The folder of the written files; empty if they were not written."""
    replaced: dict[str, str | None] = Field(default_factory=dict)
    """The previous content of each file; None for new files."""


class Applied(Artifact):
    """One applied object, and its previous state."""

    kind: str
    api_version: str
    name: str
    namespace: str | None
    uid: str | None = None
    change: Literal["created", "changed", "unchanged", "deleted"]
    before: dict[str, JsonValue] | None = None
    """The manifest that Container Kit had applied before; None if it had applied nothing."""
    live: dict[str, JsonValue] | None = None
    """The whole previous object with the owners of its fields, if the apply took fields from others."""
    after: str | None = None
    """The fingerprint of the object after the apply; None if the answer was lost."""


class KubernetesApplication(Artifact):
    """An application in a cluster, by its name."""

    name: str
    """The Deployment's."""
    namespace: str | None = None
    """By default the target's, else that of the kubeconfig's context."""
    kube_context: str | None = None


class KubernetesDeployment(Artifact):
    """An application that was rolled out."""

    response_exclude: ClassVar[dict[str, Any] | None] = {
        "applied": {"__all__": {"before", "live", "after", "uid", "api_version"}}
    }

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
