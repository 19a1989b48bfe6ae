"""Verifying: what is right, what is wrong, and what could not be seen."""

from __future__ import annotations

import pytest

from container_kit.stages.artifacts.deployment import Verification
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment, KubernetesOptions
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.deploy import DeployToKubernetes
from container_kit.stages.deploy.kubernetes.verify import VerifyKubernetes
from support.kubernetes.api_server import ApiServer
from support.kubernetes.application import CLUSTER, manifests, quick
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture
async def deployed(kubeconfig: str, cluster: ApiServer, ctx: Contexts) -> KubernetesDeployment:
    cluster.add("v1", "Secret", "web-tls", "shop", type="kubernetes.io/tls")
    found = quick(manifests(host="a.example.com", tls_secret="web-tls"))
    return await execute(DeployToKubernetes(kubeconfig, stable_seconds=0.1), ctx(), found, KubernetesOptions(), CLUSTER)


async def verified(kubeconfig: str, ctx: Contexts, deployed: KubernetesDeployment) -> Verification:
    return await VerifyKubernetes(kubeconfig).execute(ctx(), deployed)


def outcomes(found: Verification) -> dict[str, str]:
    return {check.name: check.outcome for check in found.checks}


async def test_what_runs_well_is_healthy(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    ingress = cluster.get("ingresses", "web")
    assert ingress is not None
    cluster.store.put(
        ("ingresses", "shop", "web"), {**ingress, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    )
    found = await verified(kubeconfig, ctx, deployed)
    assert found.healthy
    assert set(outcomes(found).values()) == {"ok"}
    assert set(outcomes(found)) == {"replicas", "restarts", "endpoints", "http", "ingress", "tls"}
    assert found.url == "https://a.example.com/"


async def test_an_ingress_that_no_controller_took_up_is_reported(
    kubeconfig: str, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    found = await verified(kubeconfig, ctx, deployed)
    assert not found.healthy
    (check,) = [check for check in found.checks if check.name == "ingress"]
    assert "ingress_class" in check.detail


async def test_a_pod_that_crashes_is_not_healthy(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    key = next(key for key in cluster.store.objects if key[0] == "pods")
    pod = cluster.store.objects[key]
    status = pod["status"]["containerStatuses"][0]
    waiting = {**status, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    cluster.store.put(key, {**pod, "status": {**pod["status"], "containerStatuses": [waiting]}})
    found = await verified(kubeconfig, ctx, deployed)
    assert not found.healthy
    assert "CrashLoopBackOff" in next(check.detail for check in found.checks if check.name == "restarts")


async def test_fewer_replicas_than_requested_are_not_healthy(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    live = cluster.get("deployments", "web")
    assert live is not None
    cluster.store.put(("deployments", "shop", "web"), {**live, "status": {**live["status"], "availableReplicas": 1}})
    found = await verified(kubeconfig, ctx, deployed)
    assert outcomes(found)["replicas"] == "failed"
    assert not found.healthy


async def test_a_service_without_endpoints_is_not_healthy(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    cluster.store.delete(("endpointslices", "shop", "web-x1"))
    assert outcomes(await verified(kubeconfig, ctx, deployed))["endpoints"] == "failed"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((200, "hello"), "ok"),
        ((404, "no such page"), "ok"),
        ((500, "oops"), "failed"),
        ((503, '{"kind": "Status", "message": "error trying to reach service"}'), "not_checked"),
    ],
)
async def test_the_answer_through_the_proxy_is_distinguished_from_the_proxys_own(
    answer: tuple[int, str],
    outcome: str,
    kubeconfig: str,
    cluster: ApiServer,
    ctx: Contexts,
    deployed: KubernetesDeployment,
) -> None:
    cluster.application = answer
    assert outcomes(await verified(kubeconfig, ctx, deployed))["http"] == outcome


async def test_what_may_not_be_seen_is_not_checked(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    cluster.denied |= {("list", "endpointslices"), ("list", "ingresses")}
    found = outcomes(await verified(kubeconfig, ctx, deployed))
    assert found["endpoints"] == found["ingress"] == "not_checked"


async def test_a_deployment_that_is_gone_is_not_healthy(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    cluster.store.delete(("deployments", "shop", "web"))
    found = await verified(kubeconfig, ctx, deployed)
    assert not found.healthy
    assert outcomes(found)["replicas"] == "failed"


async def test_nothing_seen_is_not_healthy(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    cluster.denied.add(("get", "deployments"))
    found = await verified(kubeconfig, ctx, deployed)
    assert outcomes(found)["replicas"] == "not_checked"
    assert not found.healthy


async def test_a_cluster_that_does_not_answer_is_a_fault(
    kubeconfig: str, cluster: ApiServer, ctx: Contexts, deployed: KubernetesDeployment
) -> None:
    gone = deployed.model_copy(update={"context": "nowhere"})
    assert cluster.port
    with pytest.raises(StageFailure, match="context_not_found"):
        await verified(kubeconfig, ctx, gone)
