"""Objects of an earlier deployment that the present one has no more, such as an Ingress whose host is gone."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.kubernetes import Applied, Manifests
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.apply.managed_fields import applied_by_us
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.manifests.generate import MANAGED_BY

Json = dict[str, Any]

_OPTIONAL = (("networking.k8s.io/v1", "Ingress"), ("autoscaling/v2", "HorizontalPodAutoscaler"), ("v1", "Service"))
"""The kinds that a generated application has only with some options."""


async def obsolete(api: KubernetesApi, manifests: Manifests) -> list[Json]:
    """The live objects that generated manifests no longer contain; none for a user's own manifests."""
    if not manifests.generated:
        return []
    ours = f"app.kubernetes.io/name={manifests.name},app.kubernetes.io/managed-by={MANAGED_BY}"
    found = []
    for api_version, kind in _OPTIONAL:
        if manifests.of_kind(kind):
            continue
        try:
            path = await api.collection(api_version, kind, manifests.namespace)
            listed = await api.get(path, labelSelector=ours)
        except StageFailure as failure:
            if failure.fault.code in ("kubernetes.forbidden", "kubernetes.kind_unknown"):
                continue  # who may not see it did not make it
            raise
        found += [{"apiVersion": api_version, "kind": kind, **item} for item in listed.get("items") or []]
    return [item for item in found if applied_by_us(item) is not None]


async def remove(api: KubernetesApi, item: Json) -> Applied:
    """Delete one, and say how to have it back.

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
        before=applied_by_us(item),
    )
