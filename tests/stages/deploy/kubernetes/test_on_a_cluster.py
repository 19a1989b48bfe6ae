"""From the cluster's preparation to its being left as it was: on an emulated cluster, or on a real one.

With KUBECONFIG set the tests run on that cluster, each in a namespace of its own that is deleted afterwards.
See `support.kubernetes.clusters`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.kubernetes import (
    Cluster,
    ClusterImage,
    KubernetesDeployment,
    KubernetesOptions,
    Manifests,
)
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api import connect
from container_kit.stages.deploy.kubernetes.deploy import DeployToKubernetes
from container_kit.stages.deploy.kubernetes.manifests.make_manifests import MakeManifests
from container_kit.stages.deploy.kubernetes.preflight import PreflightCluster
from container_kit.stages.deploy.kubernetes.verify import VerifyKubernetes
from support.kubernetes.clusters import CRASHES, IMAGE, REAL, Place, place
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, validate

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(300)]


@dataclass
class Run:
    """One user of one cluster."""

    place: Place
    ctx: Contexts

    @property
    def kubeconfig(self) -> str:
        return self.place.kubeconfig

    @property
    def namespace(self) -> str:
        return self.place.namespace

    def options(self, **changes: Any) -> KubernetesOptions:
        return KubernetesOptions(
            **{"name": "web", "namespace": self.namespace, "create_namespace": True, "port": 8080, "replicas": 1,
               "registry": "registry.test", "rollout_timeout": 120, **changes}
        )  # fmt: skip

    def image(self, behaves: str) -> ClusterImage:
        return ClusterImage(reference=self.place.image(behaves), pull_policy="IfNotPresent")

    async def prepare(self) -> Cluster:
        return await execute(PreflightCluster(self.kubeconfig), self.ctx(), self.options())

    async def manifests(self, cluster: Cluster, behaves: str, **changes: Any) -> Manifests:
        image = changes.pop("image", self.image(behaves))
        return await MakeManifests().execute(self.ctx(), None, self.options(**changes), cluster, image, None, None)

    async def deploy(self, behaves: str = "ok", **changes: Any) -> KubernetesDeployment:
        cluster = await self.prepare()
        found = await self.manifests(cluster, behaves, **changes)
        stage = DeployToKubernetes(self.kubeconfig)
        await validate(stage, self.ctx(), found, self.options(), cluster)
        return await execute(stage, self.ctx(), found, self.options(), cluster)

    async def fails(self, behaves: str, **changes: Any) -> Fault:
        with pytest.raises(StageFailure) as caught:
            await self.deploy(behaves, **changes)
        return caught.value.fault


@pytest.fixture
async def run(ctx: Contexts, tmp_path: Path) -> AsyncIterator[Run]:
    async with place(tmp_path) as found:
        yield Run(found, ctx)


async def test_an_application_is_deployed_broken_restored_and_removed(run: Run) -> None:
    made = await run.deploy()
    assert made.seconds >= 5
    verified = await VerifyKubernetes(run.kubeconfig).execute(run.ctx(), made)
    assert verified.healthy, verified
    fault = await run.fails("crash", command=CRASHES, env={"LEVEL": "2"})
    assert fault.code == "kubernetes.crash"
    assert "DATABASE_URL is not set" in " ".join(evidence.text for evidence in fault.evidence)
    async with connect(None, run.kubeconfig) as api:
        live = await api.get(f"/apis/apps/v1/namespaces/{run.namespace}/deployments/web")
        assert "command" not in live["spec"]["template"]["spec"]["containers"][0]
        await DeployToKubernetes(run.kubeconfig).rollback(run.ctx(), made)
        assert await api.find(f"/apis/apps/v1/namespaces/{run.namespace}/deployments/web") is None


async def test_an_image_that_does_not_exist_is_reported(run: Run) -> None:
    missing = ClusterImage(reference=f"{IMAGE.rpartition(':')[0]}:no-such-tag" if REAL else "registry.test/img-404:1")
    fault = await run.fails("img-404", image=missing)
    assert fault.code == "kubernetes.image_not_found"
    assert missing.reference in fault.hint


async def test_a_secret_that_does_not_exist_is_named(run: Run) -> None:
    fault = await run.fails("secret-missing", secret_env={"DATABASE_URL": "nope/url"})
    assert fault.code == "kubernetes.config_not_found"
    assert "nope" in fault.hint


async def test_the_users_own_manifests_are_deployed_the_same_way(run: Run, tmp_path: Path) -> None:
    cluster = await run.prepare()
    generated = await run.manifests(cluster, "ok")
    from container_kit.stages.deploy.kubernetes.manifests.layouts import render_layout

    (tmp_path / "base").mkdir()
    for name, text in render_layout(generated, "kustomize").files.items():
        (tmp_path / "base" / name).write_text(text)
    options = run.options(manifests="base")
    found = await MakeManifests().execute(run.ctx(), Source(path=str(tmp_path)), options, cluster, None, None, None)
    made = await execute(DeployToKubernetes(run.kubeconfig), run.ctx(), found, options, cluster)
    assert made.deployments == ("web",)
    assert made.services == ("web",)
