"""Prunes objects that are no longer part of an application, such as an Ingress after its host was removed."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.kubernetes import Applied, Manifests
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.apply.managed_fields import last_applied
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.manifests.generate import MANAGED_BY

Json = dict[str, Any]

_OPTIONAL = (("networking.k8s.io/v1", "Ingress"), ("autoscaling/v2", "HorizontalPodAutoscaler"), ("v1", "Service"))
"""The kinds that depend on options."""


async def find_obsolete(api: KubernetesApi, manifests: Manifests) -> list[Json]:
    """Return the live objects that generated manifests no longer contain; none for a user's manifests."""
    if not manifests.generated:
        return []
    selector = f"app.kubernetes.io/name={manifests.name},app.kubernetes.io/managed-by={MANAGED_BY}"
    objects = []
    for api_version, kind in _OPTIONAL:
        if manifests.of_kind(kind):
            continue
        try:
            path = await api.collection(api_version, kind, manifests.namespace)
            listed = await api.get(path, labelSelector=selector)
        except StageFailure as failure:
            if failure.fault.code in ("kubernetes.forbidden", "kubernetes.kind_not_found"):
                continue  # a user without this permission did not create any
            raise
        objects += [{"apiVersion": api_version, "kind": kind, **item} for item in listed.get("items") or []]
    return [item for item in objects if last_applied(item) is not None]


async def delete(api: KubernetesApi, item: Json) -> Applied:
    """Delete an object, and record how to restore it.

    Raises:
        StageFailure: A fault of the API.
    """
    metadata = item["metadata"]
    await api.delete(await api.path(item), uid=metadata.get("uid"))
    return Applied(
        kind=item["kind"],
        api_version=item["apiVersion"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        uid=metadata.get("uid"),
        change="deleted",
        before=last_applied(item),
    )
