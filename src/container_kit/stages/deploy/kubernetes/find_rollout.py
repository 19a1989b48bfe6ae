"""The stage that finds an application in a cluster, also one that another tool deployed."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.kubernetes import KubernetesApplication, KubernetesDeployment, Manifests
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.deploy.faults import APPLICATION_NOT_FOUND, application_not_found
from container_kit.stages.deploy.kubernetes import validation
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.watch import matching_services
from container_kit.stages.deploy.kubernetes.target_policy import resolve_location

Json = dict[str, Any]


class FindRollout(Stage[KubernetesDeployment]):
    """Find a Deployment, its Services and the hosts of their Ingresses.

    Args:
        kubeconfig: Paths as in KUBECONFIG; None reads that variable.
    """

    read_only = True
    faults = (APPLICATION_NOT_FOUND, *validation.FAULTS, *API_FAULTS, *KUBECONFIG_FAULTS)

    def __init__(self, kubeconfig: str | None = None) -> None:
        self._kubeconfig = kubeconfig

    async def execute(
        self, ctx: StageContext, application: KubernetesApplication, target: Target | None = None
    ) -> KubernetesDeployment:
        """Look up the application.

        Raises:
            StageFailure: `deployment.not_found` with the existing names, or a fault of the API.
        """
        context, requested = resolve_location(application.kube_context, application.namespace, target)
        name = validation.object_name("name", application.name)
        async with connect(context, self._kubeconfig) as api:
            namespace = validation.namespace("namespace", requested or api.namespace)
            listed = await list_objects(api, "apps/v1", "deployments", namespace)
            deployments = {str(deployment["metadata"]["name"]): deployment for deployment in listed}
            if name not in deployments:
                raise application_not_found(name, f"namespace {namespace}", sorted(deployments))
            deployment = deployments[name]
            services = matching_services(await list_services(api, name, namespace), deployment)
            return KubernetesDeployment(
                name=name,
                namespace=namespace,
                context=api.context,
                deployments=(name,),
                services=services,
                hosts=await ingress_hosts(api, namespace, services),
                image=dig(deployment, "spec", "template", "spec", "containers")[0].get("image"),
                revision=dig(deployment, "metadata", "annotations", "deployment.kubernetes.io/revision"),
            )


async def list_objects(api: KubernetesApi, api_version: str, plural: str, namespace: str, **params: str) -> list[Json]:
    """Return the objects of one kind in a namespace."""
    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    return list((await api.get(f"{root}/namespaces/{namespace}/{plural}", **params)).get("items") or [])


async def list_services(api: KubernetesApi, name: str, namespace: str) -> Manifests:
    """Return the Services of a namespace, as manifests of an application."""
    services = await list_objects(api, "v1", "services", namespace)
    return Manifests(
        name=name, namespace=namespace, objects=tuple({**service, "kind": "Service"} for service in services)
    )


async def ingress_hosts(api: KubernetesApi, namespace: str, services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the hosts of Ingresses that lead to the Services; empty if Ingresses may not be read."""
    try:
        ingresses = await list_objects(api, "networking.k8s.io/v1", "ingresses", namespace)
    except StageFailure as failure:
        if failure.fault.code != "kubernetes.forbidden":
            raise
        return ()
    rules = [rule for ingress in ingresses for rule in dig(ingress, "spec", "rules") or []]
    return tuple(
        str(rule["host"])
        for rule in rules
        if rule.get("host")
        and any(dig(path, "backend", "service", "name") in services for path in dig(rule, "http", "paths") or [])
    )
