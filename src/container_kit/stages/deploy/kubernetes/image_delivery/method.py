"""How an image gets to a cluster's nodes: told by the context's name, the cluster's own notes, or the options."""

from __future__ import annotations

import re
import shutil
from typing import Any, Literal

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.artifacts.kubernetes import KubernetesOptions
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi

Delivery = Literal["registry", "kind", "k3d", "minikube", "shared"]

NO_DELIVERY = FaultCode(
    "kubernetes.no_delivery",
    means="Nothing says how an image gets to the cluster's nodes.",
    hint="Give registry, for example registry.example.com/team: one that this machine can push to and the nodes can "
    "pull from (context {context} is none of kind, k3d, minikube or Docker Desktop).",
)
LOADER_MISSING = FaultCode(
    "kubernetes.loader_missing",
    means="The program that loads images into this kind of cluster is not installed.",
    hint="Install {program}, or give a registry that the nodes can pull from.",
)
DELIVERY_FAULTS = (NO_DELIVERY, LOADER_MISSING)

PULLED: tuple[Delivery, str | None, Check] = (
    "registry", None, Check(name="delivery", outcome="not_checked", detail="the nodes pull it from where it is")
)  # fmt: skip
"""How an image is delivered that is in a registry already."""

_SHARED = ("docker-desktop", "docker-for-desktop", "rancher-desktop", "orbstack", "colima")
_HOST = re.compile(r"""^\s*host:\s*["']?([A-Za-z0-9.:-]+)["']?\s*$""", re.MULTILINE)


async def find_delivery(api: KubernetesApi, options: KubernetesOptions) -> tuple[Delivery, str | None, Check]:
    """The way, the registry where there is one, and what it is based on.

    A registry that was asked for comes first, then the one that the cluster documents in
    `kube-public/local-registry-hosting` (KEP-1755), then what the context's name tells.

    Raises:
        StageFailure: `kubernetes.no_delivery`, `kubernetes.loader_missing`.
    """
    if options.registry is not None:
        return "registry", options.registry.rstrip("/"), _ok(f"pushed to {options.registry}, as asked")
    if (host := await _documented_registry(api)) is not None:
        return "registry", host, _ok(f"pushed to {host}, which the cluster documents")
    if api.context in _SHARED:
        return "shared", None, _ok(f"{api.context} uses the local engine's images")
    for kind in ("kind", "k3d", "minikube"):
        if api.context == kind or api.context.startswith(f"{kind}-"):
            if shutil.which(kind) is None:
                raise LOADER_MISSING(f"{kind} is not installed, so no image can be loaded", program=kind)
            return kind, None, _ok(f"loaded into the nodes by {kind}")
    if options.manifests is not None:
        return "registry", None, Check(name="delivery", outcome="not_checked", detail="the manifests name the images")
    evidence = [Evidence(kind="value", text=f"context {api.context}, server {api.server}")]
    raise NO_DELIVERY("no way to deliver an image is known", evidence=evidence, context=api.context)


def _ok(detail: str) -> Check:
    return Check(name="delivery", outcome="ok", detail=detail)


async def _documented_registry(api: KubernetesApi) -> str | None:
    try:
        found: dict[str, Any] | None = await api.find(
            "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"
        )
    except StageFailure as failure:
        if failure.fault.code == "kubernetes.forbidden":
            return None
        raise
    text = ((found or {}).get("data") or {}).get("localRegistryHosting.v1", "")
    host = _HOST.search(text)
    return host.group(1) if host else None
