"""Checks the permissions that a deployment needs, before anything is built."""

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
    """A permission on a resource."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'/' + self.subresource if self.subresource else ''}"


_DEPLOYMENTS = ("apps", "deployments")
_GENERATED_KINDS = (
    ("", "services"), ("", "serviceaccounts"), ("networking.k8s.io", "networkpolicies"),
    ("policy", "poddisruptionbudgets"),
)  # fmt: skip
_WATCHED = (_DEPLOYMENTS, ("apps", "replicasets"), ("", "pods"), ("", "events"), ("discovery.k8s.io", "endpointslices"))
_OPTIONAL_PERMISSIONS = (
    Permission("get", "", "pods", "log"),
    Permission("delete", *_DEPLOYMENTS),
    Permission("get", "", "services", "proxy"),
)
"""Without these a rollout works, but reports less or cannot be undone completely."""
_CONCURRENCY = 6


def _needed(options: KubernetesOptions) -> Iterator[Permission]:
    """Yield the permissions of a rollout; for a user's manifests only those of the Deployment."""
    applied = [_DEPLOYMENTS]
    if options.manifests is None:
        applied += _GENERATED_KINDS
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
    """Check each permission; all missing ones are reported together.

    Raises:
        StageFailure: `kubernetes.forbidden`, or a fault of the API.
    """
    needed = list(_needed(options))
    missing = await _missing(api, namespace, (*needed, *_OPTIONAL_PERMISSIONS))
    required = sorted(str(permission) for permission in needed if permission in missing)
    if required:
        words = ", ".join(required)
        evidence = [Evidence(kind="condition", text=f"not allowed: {words}", where=f"namespace/{namespace}")]
        raise FORBIDDEN(f"missing permissions in namespace {namespace}: {words}", evidence=evidence, missing=words)
    if missing:
        words = ", ".join(sorted(map(str, missing)))
        return [Check(name="permissions", outcome="not_checked", detail=f"optional, not allowed: {words}")]
    return [
        Check(name="permissions", outcome="ok", detail=f"all {len(needed) + len(_OPTIONAL_PERMISSIONS)} are granted")
    ]


async def _missing(api: KubernetesApi, namespace: str, permissions: tuple[Permission, ...]) -> set[Permission]:
    missing: set[Permission] = set()
    failures: list[StageFailure] = []
    limit = anyio.CapacityLimiter(_CONCURRENCY)

    async def review(permission: Permission) -> None:
        async with limit:
            try:
                if not await _is_allowed(api, namespace, permission):
                    missing.add(permission)
            except StageFailure as failure:
                failures.append(failure)

    async with anyio.create_task_group() as tasks:
        for permission in permissions:
            tasks.start_soon(review, permission)
    if failures:
        raise failures[0]
    return missing


async def _is_allowed(api: KubernetesApi, namespace: str, permission: Permission) -> bool:
    attributes = {
        "namespace": namespace,
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        **({"subresource": permission.subresource} if permission.subresource else {}),
    }
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    body = {**kind, "spec": {"resourceAttributes": attributes}}
    response = await api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    return bool((response.get("status") or {}).get("allowed"))
