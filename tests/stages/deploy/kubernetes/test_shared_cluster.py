"""A cluster is shared: only what a run owns is changed, and only what nobody changed since is undone."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from container_kit.stages.artifacts.deployment import Check
from container_kit.stages.artifacts.kubernetes import (
    Cluster,
    KubernetesDeployment,
    KubernetesOptions,
    Manifests,
)
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.deploy.kubernetes.backend import KubernetesBackend
from container_kit.stages.deploy.kubernetes.deploy import DeployToKubernetes
from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster
from support.kubernetes.api_server import ApiServer
from support.kubernetes.application import CLUSTER, manifests, quick
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

Json = dict[str, Any]
WEB = ("deployments", "shop", "web")
LAB = Target(name="lab", kind="kubernetes", context="test", namespace="shop")


WATCHES = 5
"""The collections that a rollout watches."""


@pytest.fixture(autouse=True)
def controllers(cluster: ApiServer) -> None:
    """Let the controllers work also while nobody watches."""
    cluster.spectators = 0


@pytest.fixture
def stage(kubeconfig: str) -> DeployToKubernetes:
    return DeployToKubernetes(kubeconfig, stable_seconds=0.2, undo_seconds=5)


@pytest.fixture
def backend(kubeconfig: str) -> KubernetesBackend:
    return KubernetesBackend(LAB, kubeconfig=kubeconfig, stable_seconds=0.2)


@pytest.fixture
def deploy(stage: DeployToKubernetes, ctx: Contexts) -> Callable[..., Any]:
    async def deploy(behaves: str = "ok", version: str = "1", **options: Any) -> KubernetesDeployment:
        made = quick(manifests(behaves, version, **options))
        deployed: KubernetesDeployment = await execute(stage, ctx(), made, KubernetesOptions(**options), CLUSTER)
        return deployed

    return deploy


async def fault_of(call: Any) -> Fault:
    with pytest.raises(StageFailure) as caught:
        await call
    return caught.value.fault


def image(cluster: ApiServer) -> str:
    live = cluster.get("deployments", "web")
    assert live is not None
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition("/")[2]


def edit(
    cluster: ApiServer, key: tuple[str, str, str], change: Callable[[Json], None], manager: str = "kubectl"
) -> None:
    """Change an object as a colleague does."""
    wanted = copy.deepcopy(cluster.store.objects[key])
    wanted["metadata"].pop("resourceVersion")
    wanted["metadata"].pop("managedFields", None)
    change(wanted)
    found = cluster.store.update(key, wanted, manager)
    if key[0] == "deployments":
        cluster.control(found)


def set_image(name: str) -> Callable[[Json], None]:
    def change(deployment: Json) -> None:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = f"registry.test/{name}"

    return change


def set_replicas(number: int) -> Callable[[Json], None]:
    def change(deployment: Json) -> None:
        deployment["spec"]["replicas"] = number

    return change


async def complete(cluster: ApiServer) -> None:
    with anyio.fail_after(20):
        while True:
            live = cluster.get("deployments", "web") or {}
            status = live.get("status") or {}
            if status.get("observedGeneration") == live["metadata"].get("generation") and status.get(
                "availableReplicas"
            ):
                return
            await anyio.sleep(0.05)


# undoing what belongs to others


async def test_an_older_run_is_not_rolled_back_under_a_newer_one(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    older = await deploy(version="1")
    await deploy(version="2")
    fault = await fault_of(stage.rollback(ctx(), older))
    assert fault.code == "run.superseded"
    assert "Deployment/web (changed by container-kit" in fault.message
    assert image(cluster) == "ok:2"


async def test_a_hotfix_made_since_is_not_replaced_by_a_rollback(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")
    newer = await deploy(version="2")
    edit(cluster, WEB, set_image("ok:hotfix"))
    fault = await fault_of(stage.rollback(ctx(), newer))
    assert fault.code == "run.superseded"
    assert "kubectl" in fault.message
    assert image(cluster) == "ok:hotfix"


async def test_scaling_since_does_not_prevent_a_rollback_and_stays(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")
    newer = await deploy(version="2")
    edit(cluster, WEB, set_replicas(5), "kube-controller-manager")
    await stage.rollback(ctx(), newer)
    assert image(cluster) == "ok:1"
    assert cluster.store.objects[WEB]["spec"]["replicas"] == 5


async def test_a_volume_claim_stays_after_a_rollback_and_is_named(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts
) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    app = quick(manifests())
    own = app.model_copy(update={"objects": (claim, *app.objects), "generated": False})
    made = await execute(stage, ctx(), own, KubernetesOptions(), CLUSTER)
    assert await stage.rollback(ctx(), made) == ["PersistentVolumeClaim/data stays: it may hold data"]
    assert cluster.get("persistentvolumeclaims", "data") is not None
    assert cluster.get("deployments", "web") is None


# namespaces


def created(cluster: ApiServer) -> Cluster:
    namespace = cluster.add("v1", "Namespace", "fresh")
    checks = (Check(name="namespace", outcome="ok", detail="was created"),)
    return CLUSTER.model_copy(
        update={"namespace": "fresh", "namespace_uid": namespace["metadata"]["uid"], "checks": checks}
    )


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "PersistentVolumeClaim"), ("apps/v1", "StatefulSet"),
        ("networking.k8s.io/v1", "Ingress"), ("v1", "ServiceAccount"),
    ],
)  # fmt: skip
async def test_a_created_namespace_with_anything_of_others_stays_and_its_content_is_named(
    cluster: ApiServer, kubeconfig: str, ctx: Contexts, api_version: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_kit.stages.deploy.kubernetes.preflight._DRAIN_SECONDS", 0.0)
    output = created(cluster)
    cluster.add(api_version, kind, "db", "fresh")
    kept = await PreflightCluster(kubeconfig).rollback(ctx(), output)
    assert kept == [f"namespace fresh stays, because it has {kind}/db"]
    assert cluster.get("namespaces", "fresh", "") is not None


async def test_a_created_namespace_with_only_objects_of_kubernetes_is_removed(
    cluster: ApiServer, kubeconfig: str, ctx: Contexts
) -> None:
    output = created(cluster)
    cluster.add("v1", "ConfigMap", "kube-root-ca.crt", "fresh")
    cluster.add("v1", "ServiceAccount", "default", "fresh")
    cluster.add("v1", "Event", "some", "fresh")
    assert await PreflightCluster(kubeconfig).rollback(ctx(), output) is None
    assert cluster.get("namespaces", "fresh", "") is None


# taking over


def theirs(cluster: ApiServer, kind: str = "Deployment") -> tuple[str, str, str]:
    """Have kubectl apply an object of the application, with other content."""
    manifest = copy.deepcopy(quick(manifests(version="theirs")).of_kind(kind)[0])
    del manifest["metadata"]["namespace"]
    if kind == "Deployment":
        manifest["spec"]["replicas"] = 3
    key = ({"Deployment": "deployments", "Service": "services"}[kind], "shop", "web")
    manifest["metadata"]["labels"]["team"] = "shop"
    found, _ = cluster.store.apply(key, manifest, "kubectl", force=False, dry_run=False)
    if kind == "Deployment":
        cluster.control(found)
    return key


def content(cluster: ApiServer, key: tuple[str, str, str]) -> Json:
    live = cluster.store.objects[key]
    owners = [
        {k: v for k, v in entry.items() if k != "time"}
        for entry in live["metadata"]["managedFields"]
        if entry["manager"] == "kubectl"
    ]
    return {"spec": live["spec"], "labels": live["metadata"]["labels"], "owners": owners}


async def test_a_take_over_is_undone_with_content_and_owners(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    keys = [theirs(cluster), theirs(cluster, "Service")]
    before = [content(cluster, key) for key in keys]
    made = await deploy(version="2", replicas=2, force_conflicts=True)
    assert image(cluster) == "ok:2"
    await stage.rollback(ctx(), made)
    assert [content(cluster, key) for key in keys] == before


async def test_a_failed_take_over_leaves_everything_as_it_was(cluster: ApiServer, deploy: Callable[..., Any]) -> None:
    keys = [theirs(cluster), theirs(cluster, "Service")]
    before = [content(cluster, key) for key in keys]
    fault = await fault_of(deploy("img-404", version="2", replicas=2, force_conflicts=True))
    assert fault.code == "kubernetes.image_not_found"
    assert [content(cluster, key) for key in keys] == before


# replicas


async def test_a_number_of_replicas_that_somebody_set_survives_a_deployment(
    cluster: ApiServer, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1", replicas=1)
    edit(cluster, WEB, set_replicas(3))
    await deploy(version="2")
    assert (image(cluster), cluster.store.objects[WEB]["spec"]["replicas"]) == ("ok:2", 3)
    await deploy(version="3")
    assert cluster.store.objects[WEB]["spec"]["replicas"] == 3


async def test_a_given_number_of_replicas_conflicts_with_that_of_somebody_else(
    cluster: ApiServer, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1", replicas=1)
    edit(cluster, WEB, set_replicas(3))
    fault = await fault_of(deploy(version="2", replicas=2))
    assert fault.code == "kubernetes.conflict"
    assert "replicas" in fault.hint


async def test_adding_an_autoscaler_keeps_the_number_of_replicas_without_a_dip(
    cluster: ApiServer, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1", replicas=3)
    seen = cluster.store.version
    await deploy(version="1", replicas=3, max_replicas=6)
    numbers = [obj["spec"]["replicas"] for v, _, key, obj in cluster.store.history if key == WEB and v > seen]
    assert set(numbers) == {3}
    await deploy(version="2", replicas=4)
    assert cluster.store.objects[WEB]["spec"]["replicas"] == 4, "the number that Container Kit kept is no conflict"


# revisions


async def test_a_rollback_goes_to_the_last_healthy_revision_and_failures_do_not_count(
    cluster: ApiServer, backend: KubernetesBackend, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")
    await deploy(version="2")
    for version in ("3", "4"):
        await fault_of(deploy("img-404", version=version))
    revisions = {
        obj["spec"]["template"]["spec"]["containers"][0]["image"]
        for key, obj in cluster.store.objects.items()
        if key[0] == "replicasets"
    }
    assert revisions == {"registry.test/ok:1", "registry.test/ok:2"}, "failed revisions leave the history"
    result = await backend.rollback(ctx(), "web", None)
    assert (result.image, image(cluster)) == ("registry.test/ok:1", "ok:1")


async def test_a_revision_that_somebody_set_and_that_never_got_ready_is_passed_over(
    cluster: ApiServer, backend: KubernetesBackend, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")
    edit(cluster, WEB, set_image("img-404:2"))
    edit(cluster, WEB, set_image("img-404:3"))
    result = await backend.rollback(ctx(), "web", None)
    assert (result.image, image(cluster)) == ("registry.test/ok:1", "ok:1")


async def test_without_an_earlier_healthy_revision_nothing_is_rolled_back(
    cluster: ApiServer, backend: KubernetesBackend, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")
    fault = await fault_of(backend.rollback(ctx(), "web", None))
    assert fault.code == "deployment.version_not_found"

    def restart(deployment: Json) -> None:
        metadata = deployment["spec"]["template"]["metadata"]
        metadata["annotations"] = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}

    edit(cluster, WEB, restart)
    await complete(cluster)
    fault = await fault_of(backend.rollback(ctx(), "web", None))
    assert fault.code == "deployment.version_not_found", "a restart is no other version"


async def test_a_rollback_replaces_the_whole_pod_template(
    cluster: ApiServer, backend: KubernetesBackend, ctx: Contexts
) -> None:
    key = theirs(cluster)
    await complete(cluster)
    await anyio.sleep(1.1)  # the API's times have whole seconds

    def second(deployment: Json) -> None:
        containers = deployment["spec"]["template"]["spec"]["containers"]
        containers[0]["image"] = "registry.test/ok:second"
        containers[0]["env"] = [{"name": "B", "value": "2"}]
        containers.append({"name": "side", "image": "registry.test/side:1"})

    before = copy.deepcopy(cluster.store.objects[key]["spec"]["template"])
    edit(cluster, key, second)
    await complete(cluster)
    await backend.rollback(ctx(), "web", None)
    assert cluster.store.objects[key]["spec"]["template"]["spec"] == before["spec"]


async def test_a_deployment_after_a_rollback_removes_what_only_the_other_version_had(
    cluster: ApiServer, backend: KubernetesBackend, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1", env={"A": "1"})
    await deploy(version="2", env={"B": "2"})
    await backend.rollback(ctx(), "web", None)
    await deploy(version="3")
    container = cluster.store.objects[WEB]["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "registry.test/ok:3"
    assert [item["name"] for item in container.get("env") or []] == []


# two deployers, and a cluster in the middle of something


async def during(cluster: ApiServer, call: Awaitable[None], act: Callable[[], object]) -> None:
    """Act as soon as the rollout is watched."""
    with anyio.fail_after(40):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_wait_for, call)
            while cluster.watches < WATCHES:
                await anyio.sleep(0.01)
            act()


async def _wait_for(call: Awaitable[None]) -> None:
    await call


async def test_a_rollout_that_another_deployment_replaces_fails_with_that_and_undoes_nothing(
    cluster: ApiServer, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")
    cluster.paused = True

    def other() -> None:
        edit(cluster, WEB, set_image("ok:3"), "other-tool")
        cluster.paused = False

    faults: list[Fault] = []

    async def roll_out() -> None:
        faults.append(await fault_of(deploy(version="2")))

    await during(cluster, roll_out(), other)
    [fault] = faults
    assert fault.code == "kubernetes.superseded"
    assert "other-tool" in str(fault.evidence)
    assert image(cluster) == "ok:3"


async def test_a_deployment_deleted_during_its_rollout_is_named_immediately(
    cluster: ApiServer, deploy: Callable[..., Any]
) -> None:
    cluster.paused = True
    faults: list[Fault] = []

    async def roll_out() -> None:
        faults.append(await fault_of(deploy()))

    await during(cluster, roll_out(), lambda: cluster.store.delete(WEB))
    assert [fault.code for fault in faults] == ["kubernetes.deployment_deleted"]


async def test_a_paused_deployment_is_named_before_anything_is_changed(
    cluster: ApiServer, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")

    def pause(deployment: Json) -> None:
        deployment["spec"]["paused"] = True

    edit(cluster, WEB, pause)
    fault = await fault_of(deploy(version="2"))
    assert fault.code == "kubernetes.paused"
    assert "kubectl rollout resume deployment/web" in fault.hint
    assert image(cluster) == "ok:1"


async def test_names_that_lead_to_another_address_are_rejected(stage: DeployToKubernetes, ctx: Contexts) -> None:
    for name in ("../../default/configmaps/x", "..", "a/b", "a%2fb"):
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {}}
        own = Manifests(name="web", namespace="shop", objects=(obj,), generated=False)
        fault = await fault_of(execute(stage, ctx(), own, KubernetesOptions(), CLUSTER))
        assert fault.code == "kubernetes.invalid", name


async def test_an_undo_waits_for_an_api_that_is_away(
    stage: DeployToKubernetes, cluster: ApiServer, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    from starlette.responses import Response

    await deploy(version="1")
    made = await deploy(version="2")
    cluster.busy = []
    cluster.failing = [Response("away", 503) for _ in range(3)]
    await stage.rollback(ctx(), made)
    assert image(cluster) == "ok:1"


async def test_what_could_not_be_undone_is_undone_by_a_later_rollback(
    cluster: ApiServer, kubeconfig: str, ctx: Contexts, deploy: Callable[..., Any]
) -> None:
    await deploy(version="1")
    stage = DeployToKubernetes(kubeconfig, stable_seconds=0.2, undo_seconds=0.0)
    cluster.paused = True
    leftovers: list[Any] = []

    async def roll_out() -> None:
        with pytest.raises(StageFailure) as caught:
            await execute(stage, ctx(), quick(manifests("img-404", "2")), KubernetesOptions(), CLUSTER)
        assert caught.value.fault.code == "kubernetes.image_not_found"
        leftovers.append(caught.value.leftover)

    def deny() -> None:
        cluster.denied.add(("patch", "deployments"))
        cluster.paused = False

    await during(cluster, roll_out(), deny)
    assert image(cluster) == "img-404:2"
    cluster.denied.clear()
    [leftover] = leftovers
    assert isinstance(leftover, KubernetesDeployment)
    await stage.rollback(ctx(), leftover)
    assert image(cluster) == "ok:1"
