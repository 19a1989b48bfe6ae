"""The stage that verifies an application in a cluster: replicas, restarts, endpoints, HTTP answer and ingress."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal

from container_kit.stages.artifacts.deployment import Check, Verification
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.state import RolloutState

Json = dict[str, Any]


class VerifyKubernetes(Stage[Verification]):
    """Check a deployment in the cluster.

    Args:
        kubeconfig: Paths as in KUBECONFIG; None reads that variable.
    """

    read_only = True
    faults = (*API_FAULTS, *KUBECONFIG_FAULTS)

    def __init__(self, kubeconfig: str | None = None) -> None:
        self._kubeconfig = kubeconfig

    async def execute(self, ctx: StageContext, deployment: KubernetesDeployment) -> Verification:
        """Run the checks; one without permission is `not_checked`.

        Raises:
            StageFailure: The cluster does not respond.
        """
        checks: list[Check] = []
        async with connect(deployment.context, self._kubeconfig) as api:
            await api.get("/version")
            for name in deployment.deployments:
                checks += await _attempt_check("replicas", _workload(api, deployment.namespace, name))
            for service in deployment.services:
                checks += await _attempt_check("endpoints", _endpoints(api, deployment.namespace, service))
                checks += await _attempt_check("http", _http(api, deployment.namespace, service))
            for host in deployment.hosts:
                checks += await _attempt_check("ingress", _ingress(api, deployment, host))
        failed = any(check.outcome == "failed" for check in checks)
        available = any(check.outcome == "ok" and check.name == "replicas" for check in checks)
        return Verification(healthy=available and not failed, url=_url(deployment), checks=tuple(checks))


def _url(deployment: KubernetesDeployment) -> str:
    """Return the URL of its Ingress, else of the Service in the cluster."""
    if deployment.hosts:
        return f"https://{deployment.hosts[0]}/"
    return f"http://{next(iter(deployment.services), deployment.name)}.{deployment.namespace}/"


async def _attempt_check(name: str, check: Awaitable[list[Check]]) -> list[Check]:
    """Run a check; without permission, its outcome is `not_checked`."""
    try:
        return await check
    except StageFailure as failure:
        if failure.fault.code == "kubernetes.forbidden":
            return [Check(name=name, outcome="not_checked", detail=f"not allowed: {failure.fault.message[:200]}")]
        if failure.fault.code == "kubernetes.not_found":
            return [Check(name=name, outcome="failed", detail=failure.fault.message[:200])]
        raise


async def _workload(api: KubernetesApi, namespace: str, name: str) -> list[Check]:
    root = f"/apis/apps/v1/namespaces/{namespace}"
    state = RolloutState(name)
    state.store("Deployment", await api.get(f"{root}/deployments/{name}"))
    for replica_set in (await api.get(f"{root}/replicasets")).get("items") or []:
        state.store("ReplicaSet", replica_set)
    for pod in (await api.get(f"/api/v1/namespaces/{namespace}/pods")).get("items") or []:
        state.store("Pod", pod)
    status = state.deployment.get("status") or {}
    desired = dig(state.deployment, "spec", "replicas")
    counts = f"{status.get('availableReplicas') or 0} of {1 if desired is None else desired} available"
    replicas = Check(name="replicas", outcome="ok" if state.complete else "failed", detail=f"{name}: {counts}")
    return [replicas, _restarts(name, state)]


def _restarts(name: str, state: RolloutState) -> Check:
    containers = [container for container in state.containers() if not container.init]
    if not containers:
        return Check(name="restarts", outcome="not_checked", detail=f"{name} has no pods")
    down = [container for container in containers if not container.running]
    exited = [container for container in containers if container.terminations]
    if down:
        return Check(name="restarts", outcome="failed", detail=f"{down[0].where} is {down[0].waiting or 'not running'}")
    if exited:
        times, reason = exited[0].terminations, exited[0].termination.get("reason")
        detail = f"{exited[0].where} runs; it exited {times} times ({reason})"
        return Check(name="restarts", outcome="ok", detail=detail)
    return Check(name="restarts", outcome="ok", detail=f"{name}: none")


async def _endpoints(api: KubernetesApi, namespace: str, service: str) -> list[Check]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    listed = await api.get(path, labelSelector=f"kubernetes.io/service-name={service}")
    endpoints = [e for item in listed.get("items") or [] for e in item.get("endpoints") or []]
    ready = [endpoint for endpoint in endpoints if dig(endpoint, "conditions", "ready") is not False]
    outcome = "ok" if ready else "failed"
    return [Check(name="endpoints", outcome=outcome, detail=f"{service}: {len(ready)} of {len(endpoints)} ready")]


async def _http(api: KubernetesApi, namespace: str, service: str) -> list[Check]:
    """GET through the API server's proxy; if the proxy cannot reach the pods, the check has no result."""
    details = await api.get(f"/api/v1/namespaces/{namespace}/services/{service}")
    port: Json = next(iter(dig(details, "spec", "ports") or []), {})
    if port.get("protocol", "TCP") != "TCP" or port.get("name", "http") not in ("http", "web", ""):
        return [Check(name="http", outcome="not_checked", detail=f"the port of {service} is not an HTTP port")]
    status, text = await api.through_service(namespace, service, str(port.get("name") or port.get("port")), "/")
    if '"kind":"Status"' in text.replace(" ", ""):
        return [Check(name="http", outcome="not_checked", detail=f"the API proxy cannot reach {service}: {text[:200]}")]
    outcome = "ok" if status < 500 else "failed"
    return [Check(name="http", outcome=outcome, detail=f"GET / of {service} through the API proxy: {status}")]


async def _ingress(api: KubernetesApi, deployment: KubernetesDeployment, host: str) -> list[Check]:
    """Check that an ingress controller serves the host, and that its certificate exists."""
    listed = await api.get(f"/apis/networking.k8s.io/v1/namespaces/{deployment.namespace}/ingresses")
    for ingress in listed.get("items") or []:
        if host in [rule.get("host") for rule in dig(ingress, "spec", "rules") or []]:
            addresses = dig(ingress, "status", "loadBalancer", "ingress") or []
            listing = ", ".join(str(entry.get("ip") or entry.get("hostname")) for entry in addresses)
            hint = "no ingress controller serves it; check that one is installed and that ingress_class is its class"
            outcome: Literal["ok", "failed"] = "ok" if addresses else "failed"
            served = Check(name="ingress", outcome=outcome, detail=f"{host}: {listing or hint}")
            return [served, await _certificate(api, deployment.namespace, ingress, host)]
    return [Check(name="ingress", outcome="failed", detail=f"no Ingress has the host {host}")]


async def _certificate(api: KubernetesApi, namespace: str, ingress: Json, host: str) -> Check:
    for tls in dig(ingress, "spec", "tls") or []:
        if host in (tls.get("hosts") or []) and tls.get("secretName"):
            name = tls["secretName"]
            try:
                secret = await api.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
            except StageFailure as failure:
                return Check(name="tls", outcome="not_checked", detail=f"Secret {name}: {failure.fault.code}")
            if secret is None or secret.get("type") != "kubernetes.io/tls":
                return Check(name="tls", outcome="failed", detail=f"{host}: no TLS Secret {name}")
            return Check(name="tls", outcome="ok", detail=f"{host}: Secret {name} exists; its expiry was not checked")
    return Check(name="tls", outcome="not_checked", detail=f"{host} is served without TLS: give tls_secret")
