"""Whether the user may do what a deployment takes, asked before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import anyio

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.artifacts.kubernetes import KubernetesOptions
from container_kit.stages.contract.fault import Evidence, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FORBIDDEN


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing to be allowed."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'/' + self.subresource if self.subresource else ''}"


_DEPLOYMENTS = ("apps", "deployments")
_GENERATED = (
    ("", "services"), ("", "serviceaccounts"), ("networking.k8s.io", "networkpolicies"),
    ("policy", "poddisruptionbudgets"),
)  # fmt: skip
_WATCHED = (_DEPLOYMENTS, ("apps", "replicasets"), ("", "pods"), ("", "events"), ("discovery.k8s.io", "endpointslices"))
_HELPFUL = (
    Permission("get", "", "pods", "log"),
    Permission("delete", *_DEPLOYMENTS),
    Permission("get", "", "services", "proxy"),
)
"""Without these a rollout works, but tells less or cannot be undone wholly."""
_AT_ONCE = 6


def _needed(options: KubernetesOptions) -> Iterator[Permission]:
    """What a rollout takes. Of a user's own manifests only the Deployment is foreseen; a dry run checks the rest."""
    applied = [_DEPLOYMENTS]
    if options.manifests is None:
        applied += _GENERATED
        applied += [("networking.k8s.io", "ingresses")] if options.host else []
        applied += [("autoscaling", "horizontalpodautoscalers")] if options.max_replicas else []
    yield Permission("get", *_DEPLOYMENTS)
    for kind in applied:
        yield Permission("create", *kind)
        yield Permission("patch", *kind)
    for kind in _WATCHED:
        yield Permission("list", *kind)
        yield Permission("watch", *kind)


async def check_permissions(api: KubernetesApi, namespace: str, options: KubernetesOptions) -> list[Check]:
    """Ask for each; those that are missing are told together.

    Raises:
        StageFailure: `kubernetes.forbidden`, or a fault of the API.
    """
    needed = list(_needed(options))
    missing = await _missing(api, namespace, (*needed, *_HELPFUL))
    lacking = sorted(str(one) for one in needed if one in missing)
    if lacking:
        words = ", ".join(lacking)
        evidence = [Evidence(kind="condition", text=f"not allowed: {words}", where=f"namespace/{namespace}")]
        raise FORBIDDEN(f"missing permissions in namespace {namespace}: {words}", evidence=evidence, missing=words)
    if missing:
        words = ", ".join(sorted(map(str, missing)))
        return [Check(name="permissions", outcome="not_checked", detail=f"not allowed, helpful: {words}")]
    return [Check(name="permissions", outcome="ok", detail=f"all {len(needed) + len(_HELPFUL)} that are used")]


async def _missing(api: KubernetesApi, namespace: str, asked: tuple[Permission, ...]) -> set[Permission]:
    missing: set[Permission] = set()
    broken: list[StageFailure] = []
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(permission: Permission) -> None:
        async with limit:
            try:
                if not await _allowed(api, namespace, permission):
                    missing.add(permission)
            except StageFailure as failure:
                broken.append(failure)

    async with anyio.create_task_group() as tasks:
        for permission in asked:
            tasks.start_soon(ask, permission)
    if broken:
        raise broken[0]
    return missing


async def _allowed(api: KubernetesApi, namespace: str, permission: Permission) -> bool:
    asked = {
        "namespace": namespace,
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        **({"subresource": permission.subresource} if permission.subresource else {}),
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    body = {**review, "spec": {"resourceAttributes": asked}}
    answer = await api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    return bool((answer.get("status") or {}).get("allowed"))
