"""What is found out about a cluster before anything is built for it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from container_kit.stages.artifacts.kubernetes import Cluster, KubernetesOptions
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster
from support.kubernetes.api_server import ApiServer
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, preview, validate

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture
def stage(kubeconfig: str) -> PreflightCluster:
    return PreflightCluster(kubeconfig)


async def prepared(stage: PreflightCluster, ctx: Contexts, **options: object) -> Cluster:
    return await execute(stage, ctx(), KubernetesOptions(**{"registry": "registry.test/shop", **options}))  # type: ignore[arg-type]


async def refused(stage: PreflightCluster, ctx: Contexts, **options: object) -> Fault:
    with pytest.raises(StageFailure) as caught:
        await prepared(stage, ctx, **options)
    return caught.value.fault


async def test_a_cluster_that_can_take_the_application_is_described(stage: PreflightCluster, ctx: Contexts) -> None:
    found = await prepared(stage, ctx)
    assert (found.context, found.namespace, found.version) == ("test", "shop", "v1.36.0")
    assert (found.delivery, found.registry) == ("registry", "registry.test/shop")
    assert {check.name: check.outcome for check in found.checks} == {
        "namespace": "ok", "permissions": "ok", "quota": "ok", "delivery": "ok",
    }  # fmt: skip


async def test_wrong_options_are_refused_before_the_cluster_is_asked(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    with pytest.raises(StageFailure, match="option_invalid"):
        await validate(stage, ctx(), KubernetesOptions(memory="lots"))
    assert cluster.requests == []


async def test_only_what_the_deployment_takes_is_requested(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.denied |= {("patch", "ingresses"), ("create", "horizontalpodautoscalers"), ("patch", "networkpolicies")}
    assert await prepared(stage, ctx, manifests="k8s")
    fault = await refused(stage, ctx, host="a.example.com", max_replicas=5)
    for missing in ("patch ingresses", "create horizontalpodautoscalers", "patch networkpolicies"):
        assert missing in fault.hint


async def test_missing_permissions_are_reported_together(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.denied |= {("patch", "deployments"), ("watch", "pods"), ("get", "pods/log")}
    fault = await refused(stage, ctx)
    assert fault.code == "kubernetes.forbidden"
    assert "patch deployments" in fault.hint
    assert "watch pods" in fault.hint
    assert "log" not in fault.hint, "that one is only helpful"


async def test_a_permission_that_only_helps_is_not_a_fault(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.denied.add(("get", "pods/log"))
    found = await prepared(stage, ctx)
    (check,) = [check for check in found.checks if check.name == "permissions"]
    assert check.outcome == "not_checked"
    assert "pods/log" in check.detail


async def test_a_missing_namespace_is_a_fault_unless_it_may_be_made(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    fault = await refused(stage, ctx, namespace="new")
    assert fault.code == "kubernetes.namespace_not_found"
    previewed = await preview(
        stage, ctx(dry_run=True), KubernetesOptions(namespace="new", create_namespace=True, registry="r.test")
    )
    assert "new would be created" in previewed.changes[1]
    assert cluster.get("namespaces", "new", "") is None
    await prepared(stage, ctx, namespace="new", create_namespace=True)
    made = cluster.get("namespaces", "new", "")
    assert made is not None
    assert made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


async def test_a_namespace_that_was_made_goes_again_if_nothing_runs_in_it(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    made = await prepared(stage, ctx, namespace="new", create_namespace=True)
    cluster.add("apps/v1", "Deployment", "theirs", "new", spec={})
    await stage.rollback(ctx(), made)
    assert cluster.get("namespaces", "new", "") is not None
    cluster.store.delete(("deployments", "new", "theirs"))
    await stage.rollback(ctx(), made)
    assert cluster.get("namespaces", "new", "") is None
    await stage.rollback(ctx(), await prepared(stage, ctx))
    assert cluster.get("namespaces", "shop", "") is not None, "that one was there before"


async def test_a_namespace_that_is_being_deleted_is_a_fault(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.add("v1", "Namespace", "shop", status={"phase": "Terminating"})
    fault = await refused(stage, ctx)
    assert fault.code == "kubernetes.namespace_not_found"
    assert "being deleted" in fault.message


async def test_what_may_not_be_read_is_not_checked(stage: PreflightCluster, cluster: ApiServer, ctx: Contexts) -> None:
    cluster.denied |= {("get", "namespaces"), ("get", "secrets"), ("list", "resourcequotas")}
    found = await prepared(stage, ctx, pull_secret="regcred")
    outcomes = {check.name: check.outcome for check in found.checks}
    assert outcomes["namespace"] == outcomes["pull_secret"] == outcomes["quota"] == "not_checked"


async def test_the_pull_secret_must_be_there_and_be_one(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    assert (await refused(stage, ctx, pull_secret="regcred")).code == "kubernetes.pull_secret_not_found"
    cluster.add("v1", "Secret", "regcred", "shop", type="Opaque")
    assert "Opaque" in (await refused(stage, ctx, pull_secret="regcred")).message
    data = {".dockerconfigjson": base64.b64encode(b"{}").decode()}
    cluster.add("v1", "Secret", "regcred", "shop", type="kubernetes.io/dockerconfigjson", data=data)
    assert await prepared(stage, ctx, pull_secret="regcred")


async def test_a_quota_that_leaves_no_room_is_reported_with_the_resource(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    status = {
        "hard": {"limits.memory": "1Gi", "pods": "10", "odd": "1e3"},
        "used": {"limits.memory": "768Mi", "pods": "1"},
    }
    cluster.add("v1", "ResourceQuota", "team", "shop", status=status)
    fault = await refused(stage, ctx, memory_limit="200Mi", replicas=2)
    assert fault.code == "kubernetes.quota"
    assert "team" in fault.hint
    assert "limits.memory" in fault.message
    assert await prepared(stage, ctx, memory_limit="128Mi", replicas=2)


async def test_a_later_deployment_needs_room_for_one_more_pod_only(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    cluster.add("v1", "ResourceQuota", "team", "shop", status={"hard": {"pods": "3"}, "used": {"pods": "2"}})
    assert (await refused(stage, ctx, name="web", replicas=2)).code == "kubernetes.quota"
    cluster.add("apps/v1", "Deployment", "web", "shop", spec={})
    assert await prepared(stage, ctx, name="web", replicas=2)


async def test_a_registry_that_the_cluster_documents_is_used(
    stage: PreflightCluster, cluster: ApiServer, ctx: Contexts
) -> None:
    text = 'host: "localhost:5001"\nhelp: "https://example.com"\n'
    cluster.add("v1", "ConfigMap", "local-registry-hosting", "kube-public", data={"localRegistryHosting.v1": text})
    found = await prepared(stage, ctx, registry=None)
    assert (found.delivery, found.registry) == ("registry", "localhost:5001")


async def test_no_way_to_deliver_an_image_is_a_fault(stage: PreflightCluster, ctx: Contexts) -> None:
    fault = await refused(stage, ctx, registry=None)
    assert fault.code == "kubernetes.delivery_not_found"
    assert "registry" in fault.hint


@pytest.mark.parametrize(("context", "program"), [("kind-test", "kind"), ("k3d-test", "k3d"), ("minikube", "minikube")])
async def test_the_context_shows_how_images_are_loaded(
    context: str, program: str, stage: PreflightCluster, ctx: Contexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fault = await refused(stage, ctx, registry=None, kube_context=context)
    assert fault.code == "kubernetes.loader_not_found"
    assert program in fault.hint
    (tmp_path / program).write_text("#!/bin/sh\n")
    (tmp_path / program).chmod(0o755)
    assert (await prepared(stage, ctx, registry=None, kube_context=context)).delivery == program
