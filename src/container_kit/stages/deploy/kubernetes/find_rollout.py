"""Finding an application that runs in a cluster, whoever deployed it."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.kubernetes import KubernetesApplication, KubernetesDeployment, Manifests
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import FaultCode, StageFailure
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.deploy.kubernetes import validation as fields
from container_kit.stages.deploy.kubernetes.cluster.api import KubernetesApi, connect
from container_kit.stages.deploy.kubernetes.cluster.api_faults import FAULTS as API_FAULTS
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import FAULTS as KUBECONFIG_FAULTS
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.watch import services_of
from container_kit.stages.deploy.kubernetes.target_policy import place_on

Json = dict[str, Any]

DEPLOYMENT_MISSING = FaultCode(
    "kubernetes.deployment_missing",
    means="The namespace has no Deployment of this name.",
    hint="Name one that is there: {there}; or give the namespace or target that it is in.",
)


class FindRollout(Stage[KubernetesDeployment]):
    """Look up a Deployment, the Services that reach it and the hosts that lead to these.

    Args:
        kubeconfig: Paths as in KUBECONFIG; None takes that variable.
    """

    read_only = True
    faults = (DEPLOYMENT_MISSING, *fields.FAULTS, *API_FAULTS, *KUBECONFIG_FAULTS)

    def __init__(self, kubeconfig: str | None = None) -> None:
        self._kubeconfig = kubeconfig

    async def execute(
        self, ctx: StageContext, application: KubernetesApplication, target: Target | None = None
    ) -> KubernetesDeployment:
        """Look.

        Raises:
            StageFailure: `kubernetes.deployment_missing` with the names that there are, or a fault of the API.
        """
        context, wanted = place_on(application.kube_context, application.namespace, target)
        name = fields.object_name("name", application.name)
        async with connect(context, self._kubeconfig) as api:
            namespace = fields.namespace("namespace", wanted or api.namespace)
            deployments = await listed(api, "apps/v1", "deployments", namespace)
            there = {str(found["metadata"]["name"]): found for found in deployments}
            if name not in there:
                known = ", ".join(sorted(there)[:20]) or "none"
                raise DEPLOYMENT_MISSING(f"no Deployment {name} in namespace {namespace}", there=known)
            services = [{**found, "kind": "Service"} for found in await listed(api, "v1", "services", namespace)]
            around = Manifests(name=name, namespace=namespace, objects=tuple(services))
            reached = services_of(around, there[name])
            return KubernetesDeployment(
                name=name,
                namespace=namespace,
                context=api.context,
                deployments=(name,),
                services=reached,
                hosts=await hosts_of(api, namespace, reached),
                image=dig(there[name], "spec", "template", "spec", "containers")[0].get("image"),
                revision=dig(there[name], "metadata", "annotations", "deployment.kubernetes.io/revision"),
            )


async def listed(api: KubernetesApi, api_version: str, plural: str, namespace: str, **params: str) -> list[Json]:
    """The objects of one kind in a namespace."""
    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    return list((await api.get(f"{root}/namespaces/{namespace}/{plural}", **params)).get("items") or [])


async def hosts_of(api: KubernetesApi, namespace: str, services: tuple[str, ...]) -> tuple[str, ...]:
    """The hosts of Ingresses that lead to the Services; none where Ingresses may not be read."""
    try:
        ingresses = await listed(api, "networking.k8s.io/v1", "ingresses", namespace)
    except StageFailure as failure:
        if failure.fault.code != "kubernetes.forbidden":
            raise
        return ()
    rules = [rule for found in ingresses for rule in dig(found, "spec", "rules") or []]
    return tuple(
        str(rule["host"])
        for rule in rules
        if rule.get("host")
        and any(dig(path, "backend", "service", "name") in services for path in dig(rule, "http", "paths") or [])
    )
