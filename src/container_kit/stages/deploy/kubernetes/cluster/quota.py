"""Checks that the quotas of a namespace leave room for the pods, before anything is built."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.artifacts.kubernetes import KubernetesOptions
from container_kit.stages.contract.fault import Evidence, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.rollout.faults import QUOTA
from container_kit.stages.deploy.kubernetes.validation import quantity

Json = dict[str, Any]


async def check_quota(api: KubernetesApi, namespace: str, options: KubernetesOptions) -> list[Check]:
    """Compare the requests of the pods with the remainder of each ResourceQuota.

    Raises:
        StageFailure: `kubernetes.quota` names the quota and the resource.
    """
    try:
        listed = await api.get(f"/api/v1/namespaces/{namespace}/resourcequotas")
        pods = await _new_pods(api, namespace, options)
    except StageFailure as failure:
        if failure.fault.code in ("kubernetes.forbidden", "kubernetes.not_found"):
            return [Check(name="quota", outcome="not_checked", detail="no permission to read quotas")]
        raise
    for resource_quota in listed.get("items") or []:
        _check(resource_quota, options, pods)
    return [Check(name="quota", outcome="ok", detail=f"{pods} more pods fit")]


async def _new_pods(api: KubernetesApi, namespace: str, options: KubernetesOptions) -> int:
    """Return the number of additional pods: all replicas at first, later one surge pod."""
    if options.name is not None:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{options.name}"
        if await api.find(path) is not None:
            return 1
    return options.initial_replicas


def _check(resource_quota: Json, options: KubernetesOptions, pods: int) -> None:
    status = resource_quota.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    requests = {
        "pods": "1",
        "count/pods": "1",
        "cpu": options.cpu,
        "requests.cpu": options.cpu,
        "limits.cpu": options.cpu_limit,
        "memory": options.memory,
        "requests.memory": options.memory,
        "limits.memory": options.memory_limit,
    }
    for resource, each in requests.items():
        if resource not in hard:
            continue
        available = _available(hard[resource], str(used.get(resource, "0")))
        if available is not None and quantity(resource, each) * pods > available:
            name = resource_quota["metadata"]["name"]
            text = (
                f"{resource}: {hard[resource]} allowed, {used.get(resource, 0)} used, {pods} pods request {each} each"
            )
            evidence = [Evidence(kind="condition", text=text, where=f"resourcequota/{name}")]
            raise QUOTA(
                f"ResourceQuota {name} leaves no room: {text}", evidence=evidence, quota=f"ResourceQuota {name}"
            )


def _available(hard: str, used: str) -> Fraction | None:
    """Return the remainder; None if a quantity has a form that only the API writes."""
    try:
        allowed, taken = (Fraction(0) if text == "0" else quantity("quota", text) for text in (hard, used))
    except StageFailure:
        return None
    return allowed - taken
