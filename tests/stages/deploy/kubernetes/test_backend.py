"""Looking after applications in a cluster."""

from __future__ import annotations

import pytest

from container_kit.stages.artifacts.deployments import RemovalOptions
from container_kit.stages.artifacts.kubernetes import KubernetesDeployment, KubernetesOptions
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.backend import KubernetesBackend
from container_kit.stages.deploy.kubernetes.deploy import DeployToKubernetes
from support.kubernetes.api_server import ApiServer
from support.kubernetes.application import CLUSTER, manifests, quick
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

LAB = Target(name="lab", kind="kubernetes", context="test", namespace="shop")


@pytest.fixture
def place(kubeconfig: str) -> KubernetesBackend:
    return KubernetesBackend(LAB, kubeconfig=kubeconfig, stable_seconds=0.2)


async def deployed(kubeconfig: str, ctx: Contexts, version: str) -> KubernetesDeployment:
    stage = DeployToKubernetes(kubeconfig, stable_seconds=0.2)
    return await execute(stage, ctx(), quick(manifests(version=version)), KubernetesOptions(), CLUSTER)


async def test_an_application_is_listed_with_its_versions(
    place: KubernetesBackend, kubeconfig: str, ctx: Contexts, cluster: ApiServer
) -> None:
    cluster.add("apps/v1", "Deployment", "theirs", "shop", spec={}, status={})
    await deployed(kubeconfig, ctx, "1")
    await deployed(kubeconfig, ctx, "2")
    (found,) = await place.list(None)
    assert (found.name, found.target, found.state) == ("web", "lab", "serving")
    assert [(one.image, one.state) for one in found.versions] == [
        ("registry.test/ok:2", "serving"),
        ("registry.test/ok:1", "kept"),
    ]


async def test_rolling_back_rolls_the_version_before_out_again(
    place: KubernetesBackend, kubeconfig: str, ctx: Contexts, cluster: ApiServer
) -> None:
    await deployed(kubeconfig, ctx, "1")
    await deployed(kubeconfig, ctx, "2")
    back = await place.rollback(ctx(), "web", None)
    assert back.image == "registry.test/ok:1"
    deployment = cluster.get("deployments", "web")
    assert deployment is not None
    template = deployment["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "registry.test/ok:1"
    assert "pod-template-hash" not in template["metadata"]["labels"]
    assert await deployed(kubeconfig, ctx, "3"), "and the next deployment meets no conflict"


async def test_rolling_back_to_what_fails_leaves_what_serves(
    kubeconfig: str, ctx: Contexts, cluster: ApiServer
) -> None:
    await deployed(kubeconfig, ctx, "1")
    await deployed(kubeconfig, ctx, "2")
    before = cluster.get("deployments", "web")
    key, found = next(
        (key, one)
        for key, one in cluster.store.objects.items()
        if key[0] == "replicasets" and one["spec"]["template"]["spec"]["containers"][0]["image"].endswith("ok:1")
    )
    template = found["spec"]["template"]
    broken = {**template["spec"]["containers"][0], "image": "registry.test/img-404:1"}
    spec = {**found["spec"], "template": {**template, "spec": {**template["spec"], "containers": [broken]}}}
    cluster.store.put(key, {**found, "spec": spec})
    with pytest.raises(StageFailure, match="image_not_found"):
        await KubernetesBackend(LAB, kubeconfig=kubeconfig).rollback(ctx(), "web", None)
    after = cluster.get("deployments", "web")
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"]


async def test_a_version_that_is_not_there_is_reported_with_those_that_are(
    place: KubernetesBackend, kubeconfig: str, ctx: Contexts
) -> None:
    await deployed(kubeconfig, ctx, "1")
    with pytest.raises(StageFailure, match="version_not_found"):
        await place.rollback(ctx(), "web", None)
    with pytest.raises(StageFailure, match="version_not_found"):
        await place.logs(ctx(), "web", "web-0", 10)


async def test_the_end_of_a_log_is_read_without_secrets(
    place: KubernetesBackend, kubeconfig: str, ctx: Contexts, cluster: ApiServer
) -> None:
    await deployed(kubeconfig, ctx, "1")
    cluster.log = "started\ntoken planted-secret-value\n"
    context = ctx()
    context.redact.add(["planted-secret-value"])
    found = await place.logs(context, "web", None, 10)
    assert found.lines[0] == "started"
    assert "planted-secret-value" not in str(found.lines)


async def test_removing_takes_what_we_made_and_nothing_else(
    place: KubernetesBackend, kubeconfig: str, ctx: Contexts, cluster: ApiServer
) -> None:
    cluster.add("v1", "Secret", "web-db", "shop")
    await deployed(kubeconfig, ctx, "1")
    removed = await place.remove(ctx(), "web", RemovalOptions())
    assert "deployment web" in removed.removed
    left = {key[0] for key in cluster.store.objects if key[1] == "shop"}
    assert left == {"secrets", "endpointslices", "events"}, "only what the controllers keep for a while"
    with pytest.raises(StageFailure, match=r"deployment\.not_found"):
        await place.remove(ctx(), "web", RemovalOptions())


async def test_an_application_that_is_not_there_is_reported(place: KubernetesBackend, ctx: Contexts) -> None:
    with pytest.raises(StageFailure, match=r"deployment\.not_found"):
        await place.list("nothing")
    with pytest.raises(StageFailure, match=r"deployment\.not_found"):
        await place.logs(ctx(), "nothing", None, 10)
