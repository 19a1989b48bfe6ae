"""Labels of an image and names of others give nobody the containers, volumes, images or tags of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.build import BuildImage
from container_kit.stages.build.caches import explain_invalid
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.deploy.local.backend import LocalBackend
from container_kit.stages.deploy.local.containers import create_volume, volume_name
from container_kit.stages.docker import labels
from container_kit.stages.docker.built_images import images_of, source_digest
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.find_built_image import FindBuiltImage
from support.mcp.tools import connected
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def repository(tmp_path: Path, tiny_image: str, unique: Callable[[], str]) -> Path:
    folder = tmp_path / unique()
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {tiny_image}\nLABEL test={folder.name}\n")
    return folder


async def build(repository: Path, **arguments: Any) -> Any:
    async with connected(RunService(Workspace([repository.parent]))) as client:
        return await client.call_tool("build", {"path": str(repository), **arguments})


async def test_a_build_moves_no_tag_of_another_image(
    repository: Path, tiny_image: str, unique: Callable[[], str], docker_api: APIClient
) -> None:
    victim = f"{unique()}:1"
    docker_api.tag(tiny_image, *victim.split(":"))
    before = docker_api.inspect_image(victim)["Id"]
    refused = await build(repository, tag=victim)
    assert refused.structured_content["code"] == "build.tag_taken"
    assert docker_api.inspect_image(victim)["Id"] == before
    [action] = refused.structured_content["next_actions"]
    built = await build(repository, tag=action["arguments"]["tag"])
    assert not built.is_error, built.content
    again = await build(repository, tag=action["arguments"]["tag"], no_cache=True)
    assert not again.is_error, again.content  # its own tag


async def test_a_default_tag_that_another_image_has_is_not_taken(
    repository: Path, tiny_image: str, docker_api: APIClient
) -> None:
    docker_api.tag(tiny_image, repository.name, "latest")  # as `python` would be, for a folder of that name
    before = docker_api.inspect_image(f"{repository.name}:latest")["Id"]
    built = await build(repository)
    assert not built.is_error, built.content
    assert built.structured_content["image"]["reference"] != f"{repository.name}:latest"
    assert docker_api.inspect_image(f"{repository.name}:latest")["Id"] == before


async def test_no_label_makes_an_image_that_of_a_folder(
    repository: Path, tiny_image: str, unique: Callable[[], str], docker_api: APIClient, engine: DockerEngine
) -> None:
    ctx = Contexts(unique(), Workspace([repository.parent]))
    for value in (str(repository), source_digest(str(repository))):
        container = docker_api.create_container(tiny_image, ["true"])
        changes = f'LABEL {labels.SOURCE}="{value}"'
        docker_api.commit(container["Id"], unique(), "1", changes=changes)
        docker_api.remove_container(container["Id"])
    with pytest.raises(StageFailure) as caught:
        await FindBuiltImage(engine).execute(ctx(), Source(path=str(repository)))
    assert caught.value.fault.code == "image.not_built"
    built = await execute(BuildImage(engine), ctx(), Source(path=str(repository)), BuildOptions(tag=f"{unique()}:1"))
    assert images_of(str(repository)) == {built.id}
    assert str(repository) not in str(docker_api.inspect_image(built.id))


async def test_reserved_labels_of_a_dockerfile_are_emptied_with_a_warning(
    repository: Path, tiny_image: str, unique: Callable[[], str], docker_api: APIClient, engine: DockerEngine
) -> None:
    lines = f"LABEL {labels.SERVICE_OF}=shop {labels.PROXY}=1\nLABEL {labels.SOURCE}=/somewhere\n"
    (repository / "Dockerfile").write_text(f"FROM {tiny_image}\n{lines}")
    ctx = Contexts(unique(), Workspace([repository.parent]))
    built = await execute(BuildImage(engine), ctx(), Source(path=str(repository)), BuildOptions(tag=f"{unique()}:1"))
    found = docker_api.inspect_image(built.id)["Config"]["Labels"]
    assert (found[labels.SERVICE_OF], found[labels.PROXY]) == ("", "")
    assert found[labels.SOURCE] == source_digest(str(repository))
    assert any(labels.PROXY in message for message in ctx.messages)


@pytest.mark.parametrize("label", [labels.APP, labels.SERVICE_OF])
async def test_a_container_that_a_person_started_is_not_taken_for_a_deployment(
    label: str, tiny_image: str, unique: Callable[[], str], docker_api: APIClient, engine: DockerEngine, ctx: Contexts
) -> None:
    app, mine = unique(), unique()
    volume = unique()
    own = {label: app, labels.RUN: "r", labels.PORT: "80", labels.IMAGE: tiny_image}
    docker_api.create_container(tiny_image, ["true"], name=mine, labels=own)
    docker_api.create_volume(volume, labels={labels.APP: app})
    backend = LocalBackend(Target(), engine)
    from container_kit.stages.artifacts.deployments import RemovalOptions

    removed = await backend.remove(ctx(), app, RemovalOptions(volumes=True))
    assert removed.removed == ()
    assert docker_api.inspect_container(mine)
    assert docker_api.inspect_volume(volume)
    with pytest.raises(StageFailure, match="not_found"):
        await backend.list(app)


def test_a_volume_of_another_application_cannot_be_named(docker_api: APIClient, unique: Callable[[], str]) -> None:
    shop = unique()
    victim = volume_name(docker_api, f"{shop}-web", "data")
    create_volume(docker_api, f"{shop}-web", victim)
    docker_api.create_volume(f"{shop}-web-old", labels={labels.APP: f"{shop}-web"})  # of an earlier release
    for app, volume in ((shop, "web-data"), (shop, "web-old"), (f"{shop}-web-d", "ata")):
        assert volume_name(docker_api, app, volume) not in (victim, f"{shop}-web-old")
    with pytest.raises(StageFailure) as caught:
        create_volume(docker_api, shop, victim)
    assert caught.value.fault.code == "deploy.volume_foreign"
    assert volume_name(docker_api, f"{shop}-web", "old") == f"{shop}-web-old"


def test_a_container_has_every_label_so_that_none_of_its_image_counts() -> None:
    found = labels.of_container({labels.APP: "shop"})
    names = [value for name, value in vars(labels).items() if name.isupper() and not name.startswith(("_", "BASE"))]
    assert set(found) >= {name for name in names if isinstance(name, str)} - {labels.HEALTHY}
    assert [name for name, value in found.items() if value] == [labels.APP]


CACHES = [
    *("type=registry,type=local,dest=/etc", "type=local,dest=x", "type=registry,type=local,src=/etc"),
    *("type=gha,url=http://evil.example/", "type=gha,token=x", "type=s3,endpoint_url=http://evil,bucket=b"),
    *('type=registry,"ref=x,type=local",dest=/', "type=registry,ref=x\ntype=local", "type=registry,ref=x,Type=local"),
    *("type=azblob,account_url=http://evil", " type=local,dest=/", "type=registry,dest=/etc", "", "ref=x", "--help"),
    *("type=registry,ref=x,ref=y", "type=inline,dest=/", '"type=local",dest=/', "type=registry,ref=$(x)", "type"),
]


@pytest.mark.parametrize("text", CACHES)
def test_a_cache_has_one_type_and_only_its_harmless_fields(text: str) -> None:
    accepted = explain_invalid(text) is None
    assert not accepted or text == "type"  # the name of an image


@pytest.mark.parametrize(
    "text",
    ["registry.example/app:cache", "type=registry,ref=r.example/a:c,mode=max", "type=gha,scope=a", "type=inline"],
)
def test_ordinary_caches_are_accepted(text: str) -> None:
    assert explain_invalid(text) is None
