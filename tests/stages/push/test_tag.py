"""TagImage on the real engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import TagOptions
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.push import TagImage
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

Make = Callable[..., Image]


async def test_a_free_name_is_given_and_taken_away_again(
    engine: DockerEngine, ctx: Contexts, image: Make, unique: Callable[[], str], docker_api: APIClient
) -> None:
    named, name = image(), unique()
    made = await TagImage(engine).execute(ctx(), TagOptions(name=name), named)
    assert (made.reference, made.previous_id) == (f"{name}:latest", None)
    assert docker_api.inspect_image(name)["Id"] == named.id
    for _ in range(2):  # once more after a crash
        await TagImage(engine).rollback(ctx(), made)
    with pytest.raises(ImageNotFound):
        docker_api.inspect_image(name)
    assert docker_api.inspect_image(named.reference)["Id"] == named.id


async def test_a_moved_tag_is_restored_even_after_a_crash(
    engine: DockerEngine, ctx: Contexts, image: Make, unique: Callable[[], str], docker_api: APIClient
) -> None:
    old, new, name = image(), image(), f"{unique()}:3"
    await TagImage(engine).execute(ctx(run_id=unique()), TagOptions(name=name), old)
    for _ in range(2):  # the process died before its journal, and the stage is run again
        made = await TagImage(engine).execute(ctx(), TagOptions(name=name), new)
    assert made.previous_id == old.id
    assert docker_api.inspect_image(name)["Id"] == new.id
    await TagImage(engine).rollback(ctx(), made)
    assert docker_api.inspect_image(name)["Id"] == old.id


async def test_a_name_that_somebody_else_moved_since_is_left_only(
    engine: DockerEngine, ctx: Contexts, image: Make, unique: Callable[[], str], docker_api: APIClient
) -> None:
    mine, others, name = image(), image(), unique()
    made = await TagImage(engine).execute(ctx(), TagOptions(name=name), mine)
    docker_api.tag(others.id, name, "latest")
    await TagImage(engine).rollback(ctx(), made)
    assert docker_api.inspect_image(name)["Id"] == others.id


@pytest.mark.parametrize("name", ["Shop", "shop:a b", "-", "shop@sha256:1"])
async def test_an_invalid_tag_is_rejected_before_anything_changes(
    engine: DockerEngine, ctx: Contexts, name: str
) -> None:
    with pytest.raises(StageFailure) as refused:
        await TagImage(engine).validate(ctx(), TagOptions(name=name))
    assert refused.value.fault.code == "image.reference_invalid"


async def test_an_image_that_is_gone_is_a_fault(engine: DockerEngine, ctx: Contexts, unique: Callable[[], str]) -> None:
    gone = Image(id="sha256:" + "0" * 64, reference="gone:1")
    with pytest.raises(StageFailure) as refused:
        await TagImage(engine).execute(ctx(), TagOptions(name=unique()), gone)
    assert refused.value.fault.code == "image.not_found"
