"""Whether a namespace's quotas leave room for the pods, before anything is built for them."""

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
    """Compare what the pods ask for with what each ResourceQuota leaves.

    Raises:
        StageFailure: `kubernetes.quota` names the quota and the resource.
    """
    try:
        listed = await api.get(f"/api/v1/namespaces/{namespace}/resourcequotas")
        pods = await _new_pods(api, namespace, options)
    except StageFailure as failure:
        if failure.fault.code in ("kubernetes.forbidden", "kubernetes.not_found"):
            return [Check(name="quota", outcome="not_checked", detail="quotas may not be read")]
        raise
    for found in listed.get("items") or []:
        _check(found, options, pods)
    return [Check(name="quota", outcome="ok", detail=f"{pods} more pods fit")]


async def _new_pods(api: KubernetesApi, namespace: str, options: KubernetesOptions) -> int:
    """A first deployment adds its replicas, a later one for a moment one pod more."""
    if options.name is not None:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{options.name}"
        if await api.find(path) is not None:
            return 1
    return options.replicas


def _check(found: Json, options: KubernetesOptions, pods: int) -> None:
    status = found.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    asked = {
        "pods": "1",
        "count/pods": "1",
        "cpu": options.cpu,
        "requests.cpu": options.cpu,
        "limits.cpu": options.cpu_limit,
        "memory": options.memory,
        "requests.memory": options.memory,
        "limits.memory": options.memory_limit,
    }
    for resource, each in asked.items():
        if resource not in hard:
            continue
        left = _left(hard[resource], str(used.get(resource, "0")))
        wanted = quantity(resource, each) * pods
        if left is not None and wanted > left:
            name = found["metadata"]["name"]
            text = (
                f"{resource}: {hard[resource]} allowed, {used.get(resource, 0)} used, {pods} pods ask for {each} each"
            )
            evidence = [Evidence(kind="condition", text=text, where=f"resourcequota/{name}")]
            raise QUOTA(
                f"ResourceQuota {name} leaves no room: {text}", evidence=evidence, quota=f"ResourceQuota {name}"
            )


def _left(hard: str, used: str) -> Fraction | None:
    """What is left; None where a quantity is in a form that only the API itself writes."""
    try:
        allowed, taken = (Fraction(0) if text == "0" else quantity("quota", text) for text in (hard, used))
    except StageFailure:
        return None
    return allowed - taken
