"""Looking at the cluster before anything is built: context, permissions, namespace, pull secret, quota, delivery."""

from __future__ import annotations

from typing import Any

import anyio

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.artifacts.kubernetes import Cluster, KubernetesOptions
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.permissions import check_permissions
from container_kit.stages.deploy.kubernetes.cluster.quota import check_quota
from container_kit.stages.deploy.kubernetes.image_delivery.method import DELIVERY_FAULTS, PULLED, find_delivery
from container_kit.stages.deploy.kubernetes.manifests.application import check_options
from container_kit.stages.deploy.kubernetes.manifests.generate import restricted_namespace
from container_kit.stages.deploy.kubernetes.rollout.faults import PULL_SECRET_MISSING, QUOTA
from container_kit.stages.deploy.kubernetes.target_policy import OVER_LIMIT, on_target
from container_kit.stages.deploy.kubernetes.validation import FAULTS as FIELD_FAULTS
from container_kit.stages.deploy.kubernetes.validation import namespace as check_namespace

Json = dict[str, Any]

NAMESPACE_MISSING = FaultCode(
    "kubernetes.namespace_missing",
    means="The namespace does not exist, or is being deleted.",
    hint="Create namespace {namespace}, or let it be made with create_namespace=true.",
)

_EMPTY_WITHIN = 5.0
"""Seconds in which the garbage collector marks the pods of a Deployment that was just removed."""


class PreflightCluster(Stage[Cluster]):
    """Check that the cluster can take the application, before anything is built.

    Args:
        kubeconfig: Paths as in KUBECONFIG; None takes that variable.
        delivers: False where the nodes pull an image that is in a registry already.
    """

    faults = (
        NAMESPACE_MISSING, PULL_SECRET_MISSING, QUOTA, OVER_LIMIT, *DELIVERY_FAULTS, *FIELD_FAULTS, *API_FAULTS,
        *KUBECONFIG_FAULTS,
    )  # fmt: skip

    def __init__(self, kubeconfig: str | None = None, *, delivers: bool = True) -> None:
        self._kubeconfig = kubeconfig
        self._delivers = delivers

    async def validate(self, ctx: StageContext, options: KubernetesOptions, target: Target | None = None) -> None:
        """Check the options, alone and against the target; the cluster is asked in `execute`.

        Raises:
            StageFailure: `kubernetes.option_invalid`, `kubernetes.secret_literal`, `kubernetes.over_limit`.
        """
        check_options(options)
        on_target(options, target)

    async def execute(self, ctx: StageContext, options: KubernetesOptions, target: Target | None = None) -> Cluster:
        """Look at the cluster; only a missing namespace is made, where that was asked for.

        Raises:
            StageFailure: What the cluster lacks.
        """
        return await self._look(ctx, on_target(options, target), make=True)

    async def preview(
        self, ctx: StageContext, options: KubernetesOptions, target: Target | None = None
    ) -> Preview[Cluster]:
        """What was found, and whether a namespace would be made."""
        cluster = await self._look(ctx, on_target(options, target), make=False)
        made = [check.detail for check in cluster.checks if check.name == "namespace" and "would be" in check.detail]
        return Preview((f"context {cluster.context}, Kubernetes {cluster.version}", *made), cluster)

    async def rollback(self, ctx: StageContext, made: Cluster) -> None:
        """Take away a namespace that was made, unless somebody runs something in it by now."""
        if made.namespace_uid is None:
            return
        async with connect(made.context, self._kubeconfig) as api:
            with anyio.move_on_after(_EMPTY_WITHIN):
                while await _is_used(api, made.namespace):  # noqa: ASYNC110 - the API server has no event for it
                    await anyio.sleep(0.5)
                await api.delete(f"/api/v1/namespaces/{made.namespace}", uid=made.namespace_uid)

    async def _look(self, ctx: StageContext, options: KubernetesOptions, *, make: bool) -> Cluster:
        async with connect(options.kube_context, self._kubeconfig) as api:
            ctx.progress(f"looking at the cluster of context {api.context}", 0.1)
            version = await api.get("/version")
            namespace = check_namespace("namespace", options.namespace or api.namespace)
            permissions = await check_permissions(api, namespace, options)
            found, uid = await _namespace(api, namespace, options, make=make)
            pull_secret = await _pull_secret(api, namespace, options)
            quota = await check_quota(api, namespace, options)
            delivery, registry, delivered = await find_delivery(api, options) if self._delivers else PULLED
        return Cluster(
            context=api.context,
            server=api.server,
            version=str(version.get("gitVersion") or ""),
            namespace=namespace,
            namespace_uid=uid,
            delivery=delivery,
            registry=registry,
            checks=(found, *permissions, *pull_secret, *quota, delivered),
        )


async def _is_used(api: KubernetesApi, namespace: str) -> bool:
    """Whether anything runs there; what is being deleted does not count."""
    pods = await api.get(f"/api/v1/namespaces/{namespace}/pods")
    deployments = await api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")
    left = [*(deployments.get("items") or []), *(pods.get("items") or [])]
    return any(not one["metadata"].get("deletionTimestamp") for one in left)


async def _namespace(
    api: KubernetesApi, namespace: str, options: KubernetesOptions, *, make: bool
) -> tuple[Check, str | None]:
    """What was found, and the uid of a namespace that was made."""
    path = f"/api/v1/namespaces/{namespace}"
    try:
        found = await api.find(path)
    except StageFailure as failure:
        if failure.fault.code != "kubernetes.forbidden":
            raise
        return Check(name="namespace", outcome="not_checked", detail=f"{namespace} may not be looked at"), None
    if found is None and options.create_namespace:
        made = await api.apply(restricted_namespace(namespace), path) if make else {"metadata": {}}
        done = "was" if make else "would be"
        check = Check(name="namespace", outcome="ok", detail=f"{namespace} {done} made; it enforces restricted")
        return check, made["metadata"].get("uid")
    phase = ((found or {}).get("status") or {}).get("phase")
    if found is None or phase == "Terminating":
        what = "is being deleted" if found is not None else "does not exist"
        evidence = [Evidence(kind="condition", text=f"namespace {namespace}: {phase or 'not found'}")]
        raise NAMESPACE_MISSING(f"namespace {namespace} {what}", evidence=evidence, namespace=namespace)
    return Check(name="namespace", outcome="ok", detail=f"{namespace} is there"), None


async def _pull_secret(api: KubernetesApi, namespace: str, options: KubernetesOptions) -> list[Check]:
    if options.pull_secret is None:
        return []
    name = options.pull_secret
    try:
        found = await api.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except StageFailure as failure:
        if failure.fault.code != "kubernetes.forbidden":
            raise
        return [Check(name="pull_secret", outcome="not_checked", detail=f"Secret {name} may not be read")]
    kind = (found or {}).get("type")
    if found is None or kind not in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
        what = "does not exist" if found is None else f"is of type {kind}"
        evidence = [Evidence(kind="condition", text=f"Secret {name} {what}", where=f"namespace/{namespace}")]
        raise PULL_SECRET_MISSING(f"pull secret {name} {what}", evidence=evidence, secret=name)
    return [Check(name="pull_secret", outcome="ok", detail=f"{name} is there")]
