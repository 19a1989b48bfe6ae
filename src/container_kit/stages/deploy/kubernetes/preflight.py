"""Preflight checks of the cluster: context, permissions, namespace, pull secret, quota and image delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.artifacts.kubernetes import Cluster, KubernetesOptions
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.deploy.faults import OVER_LIMIT
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.permissions import check_permissions
from container_kit.stages.deploy.kubernetes.cluster.quota import check_quota
from container_kit.stages.deploy.kubernetes.image_delivery.method import DELIVERY_FAULTS, PULLED, find_delivery
from container_kit.stages.deploy.kubernetes.manifests.application import check_options
from container_kit.stages.deploy.kubernetes.manifests.generate import restricted_namespace
from container_kit.stages.deploy.kubernetes.rollout.faults import PULL_SECRET_NOT_FOUND, QUOTA
from container_kit.stages.deploy.kubernetes.target_policy import apply_target
from container_kit.stages.deploy.kubernetes.validation import FAULTS as FIELD_FAULTS
from container_kit.stages.deploy.kubernetes.validation import namespace as check_namespace

Json = dict[str, Any]

NAMESPACE_NOT_FOUND = FaultCode(
    "kubernetes.namespace_not_found",
    means="The namespace does not exist, or is being deleted.",
    hint="Create namespace {namespace}, or set create_namespace=true.",
)

_DRAIN_SECONDS = 10.0
"""Seconds in which the garbage collector removes what belonged to a removed Deployment."""
_OF_THE_CLUSTER = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""The objects that Kubernetes creates in every namespace."""
_TRANSIENT_KINDS = {"Event", "EndpointSlice", "Endpoints", "Lease", "PodMetrics"}


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Checked options with the target's settings."""

    options: KubernetesOptions


class PreflightCluster(Stage[Cluster]):
    """Check that the cluster can run the application, before anything is built.

    Args:
        kubeconfig: Paths as in KUBECONFIG; None reads that variable.
        delivers: False if the nodes pull an image that is already in a registry.
    """

    faults = (
        NAMESPACE_NOT_FOUND, PULL_SECRET_NOT_FOUND, QUOTA, OVER_LIMIT, *DELIVERY_FAULTS, *FIELD_FAULTS, *API_FAULTS,
        *KUBECONFIG_FAULTS,
    )  # fmt: skip

    def __init__(self, kubeconfig: str | None = None, *, delivers: bool = True) -> None:
        self._kubeconfig = kubeconfig
        self._delivers = delivers

    async def resolve(
        self, ctx: StageContext, options: KubernetesOptions, target: Target | None = None
    ) -> ClusterOptions:
        """Check the options, and apply the target's settings to them.

        Raises:
            StageFailure: `deploy.option_invalid`, `kubernetes.secret_literal`, `target.over_limit`.
        """
        check_options(options)
        return ClusterOptions(apply_target(options, target))

    async def execute(self, ctx: StageContext, resolved: ClusterOptions) -> Cluster:
        """Check the cluster; on request, a missing namespace is created.

        Raises:
            StageFailure: One of `faults`.
        """
        return await self._check(ctx, resolved.options, create=True)

    async def preview(self, ctx: StageContext, resolved: ClusterOptions) -> Preview[Cluster]:
        """Describe the cluster, and whether a namespace would be created."""
        cluster = await self._check(ctx, resolved.options, create=False)
        changes = [check.detail for check in cluster.checks if check.name == "namespace" and "would be" in check.detail]
        return Preview((f"context {cluster.context}, Kubernetes {cluster.version}", *changes), cluster)

    async def rollback(self, ctx: StageContext, output: Cluster) -> Sequence[str] | None:
        """Delete a namespace that was created, if nothing of anybody else is in it.

        Returns:
            What is in a namespace that stays.
        """
        if output.namespace_uid is None:
            return None
        async with connect(output.context, self._kubeconfig) as api:
            deadline = anyio.current_time() + _DRAIN_SECONDS
            # the API has no event for an empty namespace
            while (content := await _content(api, output.namespace)) and anyio.current_time() < deadline:  # noqa: ASYNC110
                await anyio.sleep(1)
            if content:
                more = f" and {len(content) - 10} more" if len(content) > 10 else ""
                return [f"namespace {output.namespace} stays, because it has {', '.join(content[:10])}{more}"]
            await api.delete(f"/api/v1/namespaces/{output.namespace}", uid=output.namespace_uid)
        return None

    async def _check(self, ctx: StageContext, options: KubernetesOptions, *, create: bool) -> Cluster:
        async with connect(options.kube_context, self._kubeconfig) as api:
            ctx.progress(f"checking the cluster of context {api.context}", 0.1)
            version = await api.get("/version")
            namespace = check_namespace("namespace", options.namespace or api.namespace)
            permissions = await check_permissions(api, namespace, options)
            namespace_check, uid = await _namespace(api, namespace, options, create=create)
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
            checks=(namespace_check, *permissions, *pull_secret, *quota, delivered),
        )


async def _content(api: KubernetesApi, namespace: str) -> list[str]:
    """Return what is in a namespace, without the objects of Kubernetes itself and those that another object owns."""
    content = []
    for api_version, kind in await api.namespaced_kinds():
        if kind in _TRANSIENT_KINDS:
            continue
        try:
            listed = await api.get(await api.collection(api_version, kind, namespace))
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.forbidden":
                content.append(f"perhaps objects of kind {kind}, which may not be listed")
                continue
            raise
        for item in listed.get("items") or []:
            metadata = item["metadata"]
            if (kind, metadata["name"]) not in _OF_THE_CLUSTER and not metadata.get("ownerReferences"):
                content.append(f"{kind}/{metadata['name']}")
    return content


async def _namespace(
    api: KubernetesApi, namespace: str, options: KubernetesOptions, *, create: bool
) -> tuple[Check, str | None]:
    """Check the namespace, and return the uid of a namespace that was created."""
    path = f"/api/v1/namespaces/{namespace}"
    try:
        existing = await api.find(path)
    except StageFailure as failure:
        if failure.fault.code != "kubernetes.forbidden":
            raise
        return Check(name="namespace", outcome="not_checked", detail=f"no permission to read {namespace}"), None
    if existing is None and options.create_namespace:
        created = await api.apply(restricted_namespace(namespace), path) if create else {"metadata": {}}
        verb = "was" if create else "would be"
        check = Check(name="namespace", outcome="ok", detail=f"{namespace} {verb} created; it enforces restricted")
        return check, created["metadata"].get("uid")
    phase = ((existing or {}).get("status") or {}).get("phase")
    if existing is None or phase == "Terminating":
        state = "is being deleted" if existing is not None else "does not exist"
        evidence = [Evidence(kind="condition", text=f"namespace {namespace}: {phase or 'not found'}")]
        raise NAMESPACE_NOT_FOUND(f"namespace {namespace} {state}", evidence=evidence, namespace=namespace)
    return Check(name="namespace", outcome="ok", detail=f"{namespace} exists"), None


async def _pull_secret(api: KubernetesApi, namespace: str, options: KubernetesOptions) -> list[Check]:
    if options.pull_secret is None:
        return []
    name = options.pull_secret
    try:
        secret = await api.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
    except StageFailure as failure:
        if failure.fault.code != "kubernetes.forbidden":
            raise
        return [Check(name="pull_secret", outcome="not_checked", detail=f"no permission to read Secret {name}")]
    kind = (secret or {}).get("type")
    if secret is None or kind not in ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"):
        problem = "does not exist" if secret is None else f"is of type {kind}"
        evidence = [Evidence(kind="condition", text=f"Secret {name} {problem}", where=f"namespace/{namespace}")]
        raise PULL_SECRET_NOT_FOUND(f"pull secret {name} {problem}", evidence=evidence, secret=name)
    return [Check(name="pull_secret", outcome="ok", detail=f"{name} exists")]
