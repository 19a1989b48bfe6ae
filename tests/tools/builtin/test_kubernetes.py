"""The Kubernetes tools: the pipeline of each call, and a full deployment with a mocked build."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from container_kit import Stage, StageContext, Workspace
from container_kit.pipelines import catalog
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.runs.service import RunService
from container_kit.pipelines.testing import MockStage
from container_kit.stages.artifacts.image import Image, LocalImage
from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.stages.artifacts.target import Limits, Target
from support.kubernetes.api_server import ApiServer
from support.mcp.tools import connected

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(180)]

DIGEST = "sha256:" + "cd" * 32
IMAGE = Image(id="sha256:" + "a" * 64, reference="ok:latest", ports=(8080,), user="10001")
PUSHED = PushedImage(
    reference="registry.test/team/ok:latest", pinned=f"registry.test/team/ok@{DIGEST}", registry="registry.test",
    repository="team/ok", tag="latest", digest=DIGEST, confirmed_by="registry", image_id=IMAGE.id,
)  # fmt: skip
LAB = Target(name="lab", kind="kubernetes", context="test", namespace="shop", registry="registry.test/team",
             limits=Limits(replicas=1, memory_mb=192))  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    with ApiServer().serving() as server:
        (tmp_path / "kubeconfig").write_text(server.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield server


@pytest.fixture
def runs(workspace: Workspace, tmp_path: Path) -> RunService:
    """Return runs with one target and without an engine: build, scan and push are mocked."""
    (tmp_path / "main.py").write_text("print('hello')\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    made = {"build": IMAGE, "scan-image": ScanReport(target="ok", outcome="clean"), "push-image": PUSHED,
            "find-image": Found()}  # fmt: skip

    def find(name: str) -> Plan:
        pipeline = catalog.pipeline(name, (LAB,))
        names = {step.name for step in pipeline.steps()}
        return pipeline.with_stages_replaced(
            {
                name: one if isinstance(one, Stage) else MockStage(name, [one])
                for name, one in made.items()
                if name in names
            }
        ).plan()

    return RunService(workspace, find=find, targets=(LAB,))


class Found(Stage[Image]):
    """Returns the image without an engine."""

    name = "find-image"
    read_only = True

    async def execute(self, ctx: StageContext, requested: LocalImage) -> Image:
        return IMAGE.model_copy(update={"reference": requested.image})


async def call(runs: RunService, tool: str, **arguments: Any) -> Any:
    client: Client
    async with connected(runs) as client:
        return await client.call_tool(tool, arguments)


async def test_a_full_deployment_to_a_target_of_kind_kubernetes_rolls_out_the_pushed_digest(
    runs: RunService, cluster: ApiServer
) -> None:
    result = await call(runs, "full-deployment", path=".", name="web", deploy_to="lab")
    assert not result.is_error, result.content
    made = result.structured_content
    stages = [stage["name"] for stage in made["stages"] if stage["status"] == "success"]
    assert stages.index("preflight-cluster") < stages.index("build"), "the cluster is looked at first"
    assert made["kubernetes_deployment"]["image"] == f"registry.test/team/ok:latest@{DIGEST}"
    assert made["verification"]["healthy"]
    deployment = cluster.get("deployments", "web")
    assert deployment is not None
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert deployment["spec"]["replicas"] == 1, "lowered to the target's limit"
    assert container["resources"]["limits"]["memory"] == "192Mi"
    assert "deployed web in shop of test" in result.content[0].text


@pytest.mark.parametrize("option", [{"port": 8080}, {"env_file": ".env"}, {"read_only": False}])
async def test_an_option_of_the_local_engine_is_rejected_for_a_cluster(
    runs: RunService, option: dict[str, Any]
) -> None:
    result = await call(runs, "full-deployment", path=".", deploy_to="lab", **option)
    assert result.structured_content["code"] == "target.option_unsupported"
    assert next(iter(option)) in result.structured_content["hint"]


async def test_an_unknown_target_is_reported_before_anything_happens(runs: RunService) -> None:
    result = await call(runs, "full-deployment", path=".", deploy_to="prod")
    assert result.structured_content["code"] == "target.not_found"


@pytest.mark.parametrize(
    ("option", "limit"), [({"replicas": 3}, 1), ({"memory_limit": "1Gi"}, "192Mi"), ({"max_replicas": 9}, 1)]
)
async def test_a_request_above_the_limits_of_a_target_is_rejected_with_an_allowed_call(
    runs: RunService, option: dict[str, Any], limit: object
) -> None:
    result = await call(runs, "deploy-kubernetes", image=f"registry.test/ok:1@{DIGEST}", port=8080, **option)
    fault = result.structured_content
    assert fault["code"] == "target.over_limit"
    assert fault["next_actions"][0]["arguments"][next(iter(option))] == limit


@pytest.mark.usefixtures("cluster")
async def test_an_image_with_a_digest_is_rolled_out_unchanged(runs: RunService) -> None:
    image = f"registry.test/ok:1@{DIGEST}"
    result = await call(runs, "deploy-kubernetes", image=image, port=8080, name="web")
    assert not result.is_error, result.content
    assert result.structured_content["kubernetes_deployment"]["image"] == image
    assert [stage["name"] for stage in result.structured_content["stages"]][:3] == [
        "describe-rollout",
        "preflight-cluster",
        "make-manifests",
    ]
    assert "before" not in result.model_dump_json()


async def test_the_deployment_tools_manage_an_application_in_a_cluster(runs: RunService, cluster: ApiServer) -> None:
    image = f"registry.test/ok:1@{DIGEST}"
    assert not (await call(runs, "deploy-kubernetes", image=image, port=8080, name="web")).is_error
    there = await call(runs, "list-deployments", deploy_to="lab")
    (application,) = there.structured_content["applications"]["applications"]
    assert (application["name"], application["state"]) == ("web", "serving")
    assert application["versions"][0]["image"] == image
    cluster.log = "ready\n"
    log = await call(runs, "deployment-logs", name="web", deploy_to="lab")
    assert log.structured_content["application_log"]["lines"] == ["ready"]
    removed = await call(runs, "remove-deployment", name="web", deploy_to="lab")
    assert "deployment web" in removed.structured_content["removal"]["removed"]
    assert cluster.get("deployments", "web") is None


async def test_a_dry_run_lists_the_push_and_the_changes(runs: RunService, cluster: ApiServer) -> None:
    result = await call(runs, "deploy-kubernetes", image="ok:latest", name="web", dry_run=True)
    assert not result.is_error, result.content
    assert "registry.test/team/ok:latest" in result.content[0].text
    assert cluster.get("deployments", "web") is None


@pytest.mark.parametrize("wrong", [{"image": "a", "manifests": "k8s"}, {"run": "r", "build": True}, {}])
async def test_contradicting_arguments_are_rejected(runs: RunService, wrong: dict[str, Any]) -> None:
    assert (await call(runs, "deploy-kubernetes", **wrong)).structured_content["code"] == "request.invalid"


async def test_verifying_a_run_without_a_rollout_is_a_fault(runs: RunService) -> None:
    built = await call(runs, "build", path=".")
    result = await call(runs, "verify-kubernetes", run=built.structured_content["run"])
    assert result.structured_content["code"] == "run.no_deployment"
