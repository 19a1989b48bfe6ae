"""Selection of the image delivery: by the options, the cluster's documentation, or the context's name."""

from __future__ import annotations

import shutil
from typing import Any, Literal

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.artifacts.kubernetes import KubernetesOptions
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi

Delivery = Literal["registry", "kind", "k3d", "minikube", "shared"]

DELIVERY_NOT_FOUND = FaultCode(
    "kubernetes.delivery_not_found",
    means="The way to deliver an image to the cluster's nodes is not known.",
    hint="Give registry, for example registry.example.com/team: this machine must be able to push to it, and the nodes "
    "to pull from it (context {context} is not kind, k3d, minikube or Docker Desktop).",
)
LOADER_NOT_FOUND = FaultCode(
    "kubernetes.loader_not_found",
    means="The program that loads images into this kind of cluster is not installed.",
    hint="Install {program}, or give a registry that the nodes can pull from.",
)
DELIVERY_FAULTS = (DELIVERY_NOT_FOUND, LOADER_NOT_FOUND)

PULLED: tuple[Delivery, str | None, Check] = (
    "registry", None, Check(name="delivery", outcome="not_checked", detail="the nodes pull it from its registry")
)  # fmt: skip
"""The delivery of an image that is already in a registry."""

_SHARED_CONTEXTS = ("docker-desktop", "docker-for-desktop", "rancher-desktop", "orbstack", "colima")
_HOST = re.compile(r"""^\s*host:\s*["']?([A-Za-z0-9.:-]+)["']?\s*$""", re.MULTILINE)


async def find_delivery(api: KubernetesApi, options: KubernetesOptions) -> tuple[Delivery, str | None, Check]:
    """Return the delivery, its registry if there is one, and the check that explains the choice.

    A requested registry comes first, then the registry that the cluster documents in
    `kube-public/local-registry-hosting` (KEP-1755), then the delivery that the context's name implies.

    Raises:
        StageFailure: `kubernetes.delivery_not_found`, `kubernetes.loader_not_found`.
    """
    if options.registry is not None:
        return "registry", options.registry.rstrip("/"), _ok(f"pushed to {options.registry}, as requested")
    if (host := await _documented_registry(api)) is not None:
        return "registry", host, _ok(f"pushed to {host}, which the cluster documents")
    if api.context in _SHARED_CONTEXTS:
        return "shared", None, _ok(f"{api.context} uses the local engine's images")
    for kind in ("kind", "k3d", "minikube"):
        if api.context == kind or api.context.startswith(f"{kind}-"):
            if shutil.which(kind) is None:
                raise LOADER_NOT_FOUND(f"{kind} is not installed, so no image can be loaded", program=kind)
            return kind, None, _ok(f"loaded into the nodes by {kind}")
    if options.manifests is not None:
        return "registry", None, Check(name="delivery", outcome="not_checked", detail="the manifests name the images")
    evidence = [Evidence(kind="value", text=f"context {api.context}, server {api.server}")]
    raise DELIVERY_NOT_FOUND("the way to deliver an image is not known", evidence=evidence, context=api.context)


def _ok(detail: str) -> Check:
    return Check(name="delivery", outcome="ok", detail=detail)


async def _documented_registry(api: KubernetesApi) -> str | None:
    try:
        documented: dict[str, Any] | None = await api.find(
            "/api/v1/namespaces/kube-public/configmaps/local-registry-hosting"
        )
    except StageFailure as failure:
        if failure.fault.code == "kubernetes.forbidden":
            return None
        raise
    text = ((documented or {}).get("data") or {}).get("localRegistryHosting.v1", "")
    host = _HOST.search(text)
    return host.group(1) if host else None
