"""The user's own manifests stay in the namespace, the limits and the Pod Security of a configured target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.kubernetes import Cluster, KubernetesOptions, Manifests
from container_kit.stages.artifacts.target import Limits, Target
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.deploy.kubernetes.deploy import DeployToKubernetes
from support.kubernetes.api_server import ApiServer
from support.kubernetes.store import KINDS
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

Json = dict[str, Any]
CLUSTER = Cluster(context="test", server="", version="", namespace="shop", delivery="registry")
TARGET = Target(name="dev", kind="kubernetes", context="test", namespace="shop")
LIMITED = TARGET.model_copy(update={"limits": Limits(replicas=3, memory_mb=256, cpus=1)})
EXTENSIONS: dict[str, dict[str, tuple[str, bool]]] = {
    "kyverno.io/v1": {"ClusterPolicy": ("clusterpolicies", False)},
    "cert-manager.io/v1": {"ClusterIssuer": ("clusterissuers", False), "Issuer": ("issuers", True)},
    "apiregistration.k8s.io/v1": {"APIService": ("apiservices", False)},
    "certificates.k8s.io/v1": {"CertificateSigningRequest": ("certificatesigningrequests", False)},
    "made.up.example/v1": {"HarmlessThing": ("harmlessthings", False)},
    "argoproj.io/v1alpha1": {"Rollout": ("rollouts", True)},
    "batch/v1": {"CronJob": ("cronjobs", True), "Job": ("jobs", True)},
    "apps/v1": {**KINDS["apps/v1"], "DaemonSet": ("daemonsets", True)},
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ApiServer]:
    for version, kinds in EXTENSIONS.items():
        monkeypatch.setitem(KINDS, version, kinds)
    with ApiServer().serving() as server:
        (tmp_path / "kubeconfig").write_text(server.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield server


async def refused(cluster: ApiServer, ctx: Contexts, target: Target, *objects: Json) -> Fault:
    """Return the fault of objects that the target refuses, and check that nothing was sent to change the cluster."""
    with pytest.raises(StageFailure) as caught:
        await resolve(ctx, target, *objects)
    assert not [request for request in cluster.requests if request[0] != "GET"]
    return caught.value.fault


async def resolve(ctx: Contexts, target: Target | None, *objects: Json) -> None:
    manifests = Manifests(name="web", namespace="shop", objects=objects, generated=False)
    await DeployToKubernetes().resolve(ctx(), manifests, KubernetesOptions(), CLUSTER, target)


def workload(
    pod: Json | None = None, container: Json | None = None, kind: str = "Deployment", version: str = "apps/v1",
    **spec: Any,
) -> Json:  # fmt: skip
    inside = {"name": "web", "image": "web:1", **(container or {})}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [inside], **(pod or {})}}
    content: Json = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    if kind == "CronJob":
        content = {"schedule": "* * * * *", "jobTemplate": {"spec": content}}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": content}


@pytest.mark.parametrize(
    ("version", "kind"),
    [(version, kind) for version, kinds in {**KINDS, **EXTENSIONS}.items() for kind, (_, n) in kinds.items() if not n],
)
async def test_a_kind_that_the_api_calls_cluster_wide_is_refused(
    version: str, kind: str, cluster: ApiServer, ctx: Contexts
) -> None:
    fault = await refused(cluster, ctx, TARGET, {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}})
    assert fault.code == "deploy.option_invalid"
    assert "cluster-scoped" in fault.message


@pytest.mark.parametrize("namespace", ["kube-system", "shop/../kube-system", "SHOP", " shop", 7, ["shop"]])
async def test_an_object_in_another_namespace_is_refused(namespace: Any, cluster: ApiServer, ctx: Contexts) -> None:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": namespace}}
    assert (await refused(cluster, ctx, TARGET, obj)).code == "deploy.option_invalid"


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("v1", "../../kube-system/configmaps/x"),
        ("v1", "x?fieldManager=kubectl&"),
        ("v1", ".."),
        ("v1/namespaces/kube-system", "x"),
        ("../api/v1", "x"),
    ],
)
async def test_a_name_or_version_cannot_lead_to_another_path_of_the_api(
    version: str, name: str, cluster: ApiServer, ctx: Contexts
) -> None:
    obj = {"apiVersion": version, "kind": "ConfigMap", "metadata": {"name": name}}
    for target in (TARGET, None):
        with pytest.raises(StageFailure):
            await resolve(ctx, target, obj)
    paths = [path for _, path in cluster.requests]
    assert not [path for path in paths if "kube-system" in path and "%2F" not in path and "/shop/" not in path]


ROOTS: list[tuple[Json, Json]] = [
    ({"hostNetwork": True}, {}),
    ({"hostPID": True}, {}),
    ({"hostIPC": True}, {}),
    ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, {}),
    ({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, {}),
    ({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}, {}),
    ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, {}),
    ({}, {"securityContext": {"privileged": True}}),
    ({}, {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
    ({}, {"securityContext": {"capabilities": {"add": ["ALL"]}}}),
    ({}, {"securityContext": {"procMount": "Unmasked"}}),
    ({}, {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}),
    ({}, {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}),
    ({}, {"ports": [{"containerPort": 80, "hostPort": 80}]}),
    ({"initContainers": [{"name": "i", "image": "i:1", "securityContext": {"privileged": True}}]}, {}),
    ({"ephemeralContainers": [{"name": "i", "securityContext": {"privileged": True}}]}, {}),
]


@pytest.mark.parametrize(("pod", "container"), ROOTS)
@pytest.mark.parametrize(
    ("kind", "version"),
    [("Deployment", "apps/v1"), ("CronJob", "batch/v1"), ("Rollout", "argoproj.io/v1alpha1"), ("DaemonSet", "apps/v1")],
)
async def test_a_pod_that_could_leave_its_container_is_refused(
    kind: str, version: str, pod: Json, container: Json, cluster: ApiServer, ctx: Contexts
) -> None:
    fault = await refused(cluster, ctx, TARGET, workload(pod, container, kind, version))
    assert fault.code == "kubernetes.object_insecure"


RESOURCES = {"resources": {"limits": {"memory": "128Mi", "cpu": "500m"}}}


@pytest.mark.parametrize(
    "obj",
    [
        workload(container=RESOURCES, replicas=500),
        workload(container=RESOURCES, kind="Rollout", version="argoproj.io/v1alpha1", replicas=4),
        workload(container=RESOURCES, kind="Job", version="batch/v1", parallelism=9),
        workload(container=RESOURCES, kind="CronJob", version="batch/v1", parallelism=9),
        workload(container=RESOURCES, kind="DaemonSet"),
        workload(container=RESOURCES, replicas="500"),
        workload(container={}),
        workload(container={"resources": {"limits": {"memory": "257Mi", "cpu": "1"}}}),
        workload(container={"resources": {"limits": {"memory": "1Gi", "cpu": "100m"}}}),
        workload(container={"resources": {"limits": {"memory": "64Mi", "cpu": "2"}}}),
        workload(container={"resources": {"limits": {"memory": "64Mi"}}}),
        workload(container={"resources": {"limits": {"memory": "1e12", "cpu": "1"}}}),
        workload(container={"resources": {"requests": {"memory": "9Gi"}, "limits": {"memory": "64Mi", "cpu": "1"}}}),
        workload({"containers": [{"name": n, "image": "x:1", **RESOURCES} for n in "abc"]}),
        workload({"initContainers": [{"name": "i", "image": "x:1"}]}, RESOURCES),
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"},
         "spec": {"maxReplicas": 100, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}},
    ],
)  # fmt: skip
async def test_more_than_the_limits_of_the_target_is_refused(obj: Json, cluster: ApiServer, ctx: Contexts) -> None:
    assert (await refused(cluster, ctx, LIMITED, obj)).code in ("target.over_limit", "deploy.option_invalid")


async def test_several_objects_share_the_limit(cluster: ApiServer, ctx: Contexts) -> None:
    both = [workload(container=RESOURCES, replicas=2), workload(container=RESOURCES, replicas=2, kind="StatefulSet")]
    assert (await refused(cluster, ctx, LIMITED, *both)).code == "target.over_limit"


@pytest.mark.usefixtures("cluster")
async def test_ordinary_objects_pass_and_without_a_target_so_do_all(ctx: Contexts) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
    for target, obj in ((LIMITED, workload(container=RESOURCES, replicas=3)), (LIMITED, service), (TARGET, workload())):
        await resolve(ctx, target, obj)
    await resolve(ctx, None, workload({"hostNetwork": True}))
    implicit = Target(name="kubernetes", kind="kubernetes", implicit=True)
    await resolve(ctx, implicit, workload({"hostNetwork": True}))
