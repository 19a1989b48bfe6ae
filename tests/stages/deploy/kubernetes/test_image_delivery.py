"""Getting an image to the nodes.

The loaders of kind, k3d and minikube cannot exist here: programs of their names note what they were asked for. Pushing
is a stage of its own, with tests of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.kubernetes import Cluster, KubernetesOptions
from container_kit.stages.artifacts.push import PushedImage
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.kubernetes.image_delivery.stages import (
    ChooseRegistryName,
    DeliverImage,
    content_tag,
    image_name,
    load_command,
    registry_name,
)
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import ImageReference
from support.pipelines.contexts import Contexts

pytestmark = pytest.mark.anyio

OPTIONS = KubernetesOptions()
IMAGE = Image(id="sha256:" + "ab" * 32, reference="shop/web:1.4")


def on(delivery: str, context: str = "kind-dev", registry: str | None = None) -> Cluster:
    return Cluster(context=context, server="", version="", namespace="shop", delivery=delivery, registry=registry)  # type: ignore[arg-type]


def test_a_loaded_image_is_named_by_its_content() -> None:
    assert str(content_tag(ImageReference.parse("shop/web:1.4"), IMAGE)) == "shop/web:ck-abababababab"
    assert str(content_tag(ImageReference.parse("web"), IMAGE)) == "web:ck-abababababab"


@pytest.mark.parametrize("known", [IMAGE.id, "abababababab"])
def test_an_image_that_is_known_by_its_id_is_named_after_the_application(known: str) -> None:
    image = IMAGE.model_copy(update={"reference": known})
    assert str(image_name(image, KubernetesOptions(name="shop"))) == "shop:abababababab"


@pytest.mark.parametrize(
    ("reference", "registry", "pushed"),
    [
        ("web:1", "registry.test/team", "registry.test/team/web:1"),
        ("shop/web:1", "registry.test:5000", "registry.test:5000/web:1"),
        ("localhost:5000/web:2", "registry.test", "registry.test/web:2"),
        ("registry.test/shop/web:2", None, "registry.test/shop/web:2"),
        ("web", "registry.test", "registry.test/web:latest"),
    ],
)
def test_an_image_is_pushed_under_the_registry(reference: str, registry: str | None, pushed: str) -> None:
    assert ":".join(registry_name(ImageReference.parse(reference), registry)) == pushed


def test_an_image_whose_name_says_no_registry_needs_one() -> None:
    with pytest.raises(StageFailure, match="registry"):
        registry_name(ImageReference.parse("shop/web:1.4"), None)


@pytest.mark.parametrize(
    ("delivery", "context", "command"),
    [
        ("kind", "kind-dev", "kind load docker-image a:1 --name dev"),
        ("k3d", "k3d-dev", "k3d image import a:1 --cluster dev"),
        ("minikube", "minikube", "minikube image load a:1 --profile minikube"),
    ],
)
def test_each_loader_is_reported_its_cluster(delivery: str, context: str, command: str) -> None:
    assert load_command(on(delivery, context), "a:1") == command.split()


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a program named `kind` on the path, that notes its arguments and does as it is told."""

    def make(body: str) -> Path:
        program = tmp_path / "bin" / "kind"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{body}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return tmp_path / "asked"

    return make


@pytest.fixture
def built(tiny_image: str, docker_api: object, unique: Callable[[], str]) -> Image:
    """A real image under a name of the test's own, which is swept away afterwards."""
    name = unique()
    docker_api.tag(tiny_image, name, "1")  # type: ignore[attr-defined]
    details = docker_api.inspect_image(tiny_image)  # type: ignore[attr-defined]
    return Image(id=details["Id"], reference=f"{name}:1")


@pytest.mark.engine
async def test_an_image_is_loaded_under_its_content_name(
    loader: Callable[[str], Path], engine: DockerEngine, built: Image, ctx: Contexts
) -> None:
    asked = loader("echo 'Image: loaded'")
    made = await DeliverImage(engine).execute(ctx(), built, on("kind"), OPTIONS)
    assert made.reference == str(content_tag(ImageReference.parse(built.reference), built))
    assert made.pull_policy == "IfNotPresent"
    assert asked.read_text().strip() == f"load docker-image {made.reference} --name dev"
    assert ctx.lines == ["Image: loaded"]


@pytest.mark.engine
@pytest.mark.parametrize("body", ["echo no nodes found for cluster; exit 1", "echo 'ERRO[0000] failed to import'"])
async def test_a_loader_that_fails_is_a_fault_with_its_words(
    body: str, loader: Callable[[str], Path], engine: DockerEngine, built: Image, ctx: Contexts
) -> None:
    loader(body)
    with pytest.raises(StageFailure) as caught:
        await DeliverImage(engine).execute(ctx(), built, on("kind"), OPTIONS)
    assert caught.value.fault.code == "kubernetes.load_failed"
    assert "failed" in caught.value.fault.evidence[0].text or "no nodes" in caught.value.fault.evidence[0].text


@pytest.mark.engine
async def test_a_cancelled_load_ends_its_program(
    loader: Callable[[str], Path], engine: DockerEngine, built: Image, ctx: Contexts, tmp_path: Path
) -> None:
    asked = loader(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(DeliverImage(engine).execute, ctx(), built, on("kind"), OPTIONS)
        with anyio.fail_after(30):
            while not (asked.exists() and (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    with anyio.fail_after(30):
        while Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists():
            await anyio.sleep(0.01)


async def test_an_image_that_was_pushed_already_is_not_pushed_again(ctx: Contexts) -> None:
    digest = "sha256:" + "cd" * 32
    pushed = PushedImage(
        reference="registry.test/shop/web:1.4",
        pinned=f"registry.test/shop/web@{digest}",
        registry="registry.test",
        repository="shop/web",
        tag="1.4",
        digest=digest,
        confirmed_by="registry",
        image_id=IMAGE.id,
    )
    made = await DeliverImage().execute(ctx(), IMAGE, on("registry"), OPTIONS, pushed)
    assert made.reference == f"registry.test/shop/web:1.4@{digest}"


async def test_a_preview_shows_where_the_image_would_go(ctx: Contexts) -> None:
    stage = DeliverImage()
    pushed = await stage.preview(ctx(dry_run=True), IMAGE, on("registry", registry="registry.test"), OPTIONS)
    assert pushed.changes == ("name the image registry.test/web:1.4, by its digest",)
    loaded = await stage.preview(ctx(dry_run=True), IMAGE, on("kind"), OPTIONS)
    assert loaded.output is not None
    assert loaded.output.reference == "shop/web:ck-abababababab"


async def test_the_name_for_the_push_is_that_of_the_clusters_registry(ctx: Contexts) -> None:
    named = await ChooseRegistryName().execute(ctx(), IMAGE, on("registry", registry="registry.test/team"), OPTIONS)
    assert (named.repository, named.tag) == ("registry.test/team/web", "1.4")
