"""Making manifests: generated ones, the user's own files, and kustomizations; and writing them into the source."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from container_kit.stages.artifacts.analysis import Analysis, Finding, Module
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import (
    Cluster,
    ClusterImage,
    KubernetesOptions,
    Layout,
    ManifestLayout,
    Manifests,
)
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.manifests.make_manifests import MakeManifests
from container_kit.stages.deploy.kubernetes.manifests.write_manifests import WriteManifests
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute, preview

pytestmark = pytest.mark.anyio

CLUSTER = Cluster(context="test", server="", version="", namespace="shop", delivery="registry")
IMAGE = ClusterImage(reference="registry.test/shop/web:2@sha256:" + "ab" * 32)
OWN = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: migrate, image: "old.test/web:1"}]
      containers:
      - {name: web, image: web:latest, env: [{name: API_TOKEN, value: abc}]}
      - {name: proxy, image: envoy:1}
---
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: hunter22hunter}
data: {url: URL_IN_BASE64}
---
apiVersion: v1
kind: Namespace
metadata: {name: extra}
""".replace("URL_IN_BASE64", base64.b64encode(b"postgres-secret-url").decode())


async def made(
    ctx: Contexts,
    root: Path,
    options: KubernetesOptions,
    image: ClusterImage | None = IMAGE,
    built: Image | None = None,
) -> Manifests:
    return await MakeManifests().execute(ctx(), Source(path=str(root)), options, CLUSTER, image, None, built)


async def test_an_analysis_and_an_image_make_an_application(ctx: Contexts, tmp_path: Path) -> None:
    module = Module(
        path=".", name="web", role=Finding(value="web"), language=Finding(value="go"), port=Finding(value=80)
    )
    analysis = Analysis(root=str(tmp_path), modules=(module,))
    source = Source(path=str(tmp_path))
    found = await MakeManifests().execute(ctx(), source, KubernetesOptions(), CLUSTER, IMAGE, analysis, None)
    assert (found.name, found.namespace, found.generated) == ("web", "shop", True)
    assert found.notes == ()
    assert Manifests.model_validate_json(found.model_dump_json()) == found


async def test_files_can_be_made_without_a_cluster(ctx: Contexts) -> None:
    built = Image(id="sha256:1", reference="web:1", ports=(8080,))
    found = await MakeManifests().execute(ctx(), None, KubernetesOptions(), None, None, None, built)
    assert found.namespace == "default"
    assert "not by digest" in found.notes[0]


async def test_without_any_image_there_is_nothing_to_deploy(ctx: Contexts, tmp_path: Path) -> None:
    with pytest.raises(StageFailure, match="image"):
        await made(ctx, tmp_path, KubernetesOptions(port=80), None)


async def test_own_files_are_ordered_and_get_the_built_image(ctx: Contexts, tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/all.yaml").write_text(OWN)
    (tmp_path / "k8s/README.md").write_text("not a manifest")
    found = await made(ctx, tmp_path, KubernetesOptions(manifests="k8s"))
    assert [one["kind"] for one in found.objects] == ["Namespace", "Secret", "Deployment"]
    pod = found.of_kind("Deployment")[0]["spec"]["template"]["spec"]
    assert [c["image"] for c in pod["initContainers"] + pod["containers"]] == [
        IMAGE.reference,
        IMAGE.reference,
        "envoy:1",
    ]
    assert not found.generated
    assert any("API_TOKEN" in note for note in found.notes)


async def test_values_of_own_secrets_are_redacted_from_then_on(ctx: Contexts, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(OWN)
    await made(ctx, tmp_path, KubernetesOptions(manifests="all.yaml"))
    assert "hunter22hunter" not in ctx().redact("it said hunter22hunter")
    assert "postgres-secret-url" not in ctx().redact("postgres-secret-url")


async def test_an_image_that_no_container_uses_is_noted(ctx: Contexts, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(OWN)
    other = ClusterImage(reference="registry.test/api:1")
    found = await made(ctx, tmp_path, KubernetesOptions(manifests="all.yaml"), other)
    assert any("no container uses an image named api" in note for note in found.notes)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../outside", "path.outside_workspace"),
        ("nowhere", "path.not_found"),
        ("wrong.yaml", "kubernetes.yaml_invalid"),
    ],
)
async def test_a_path_that_cannot_be_read_is_a_fault(path: str, code: str, ctx: Contexts, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "wrong.yaml").write_text("a: [")
    with pytest.raises(StageFailure) as caught:
        await made(ctx, root, KubernetesOptions(manifests=path))
    assert caught.value.fault.code == code


async def test_a_link_does_not_lead_outside(ctx: Contexts, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "k8s").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.yaml").write_text(OWN)
    (root / "k8s/link.yaml").symlink_to(outside / "secret.yaml")
    found = await made(ctx, root, KubernetesOptions(manifests="k8s"))
    assert found.objects == ()


def kustomization(folder: Path, extra: str = "") -> None:
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(f"resources: [all.yaml]\nnamespace: team\n{extra}")
    (folder / "all.yaml").write_text(OWN)


@pytest.mark.parametrize("tools", [True, False])
async def test_a_kustomization_is_built_with_or_without_its_program(
    tools: bool, ctx: Contexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not tools:
        monkeypatch.setenv("PATH", str(tmp_path))
    kustomization(tmp_path / "base")
    found = await made(ctx, tmp_path, KubernetesOptions(manifests="base"))
    deployment = found.of_kind("Deployment")[0]
    assert deployment["metadata"]["namespace"] == "team"
    assert "namespace" not in found.of_kind("Namespace")[0]["metadata"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE.reference


async def test_a_kustomization_that_needs_its_program_says_so(
    ctx: Contexts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    kustomization(tmp_path / "base", "namePrefix: a-\n")
    with pytest.raises(StageFailure) as caught:
        await made(ctx, tmp_path, KubernetesOptions(manifests="base"))
    assert caught.value.fault.code == "kubernetes.kustomize_not_found"
    assert "namePrefix" in caught.value.fault.hint


async def test_a_kustomization_that_cannot_be_built_is_a_fault(ctx: Contexts, tmp_path: Path) -> None:
    kustomization(tmp_path / "base")
    (tmp_path / "base/all.yaml").unlink()
    with pytest.raises(StageFailure) as caught:
        await made(ctx, tmp_path, KubernetesOptions(manifests="base"))
    assert caught.value.fault.code == "kubernetes.kustomize_failed"
    assert "all.yaml" in caught.value.fault.model_dump_json()


@pytest.mark.parametrize("layout", ["files", "kustomize", "helm"])
async def test_manifests_are_written_and_taken_back(layout: Layout, ctx: Contexts, tmp_path: Path) -> None:
    manifests = await made(ctx, tmp_path, KubernetesOptions(port=8080, name="web"))
    stage, source = WriteManifests(), Source(path=str(tmp_path))
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/deployment.yaml").write_text("mine")
    done = await execute(stage, ctx(), manifests, source, ManifestLayout(layout=layout))
    written = {str(p.relative_to(tmp_path / "k8s")) for p in (tmp_path / "k8s").rglob("*") if p.is_file()}
    assert set(done.files) <= written
    if layout != "helm":
        assert yaml.safe_load((tmp_path / "k8s/deployment.yaml").read_text())["kind"] == "Deployment"
    await stage.rollback(ctx(), type(done).model_validate_json(done.model_dump_json()))
    await stage.rollback(ctx(), done)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["deployment.yaml"]
    assert (tmp_path / "k8s/deployment.yaml").read_text() == "mine"


async def test_manifests_are_not_written_outside_the_source(ctx: Contexts, tmp_path: Path) -> None:
    manifests = await made(ctx, tmp_path, KubernetesOptions(port=8080, name="web"))
    with pytest.raises(StageFailure, match="outside"):
        await execute(WriteManifests(), ctx(), manifests, Source(path=str(tmp_path)), ManifestLayout(folder="../x"))


async def test_a_folder_that_cannot_be_written_is_a_fault(ctx: Contexts, tmp_path: Path) -> None:
    manifests = await made(ctx, tmp_path, KubernetesOptions(port=8080, name="web"))
    (tmp_path / "k8s").write_text("a file")
    with pytest.raises(StageFailure) as caught:
        await execute(WriteManifests(), ctx(), manifests, Source(path=str(tmp_path)), ManifestLayout())
    assert caught.value.fault.code == "kubernetes.files_not_written"
    previewed = await preview(WriteManifests(), ctx(), manifests, Source(path=str(tmp_path)), ManifestLayout())
    assert len(previewed.changes) == len(manifests.objects)
