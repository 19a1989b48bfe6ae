"""Leftovers of forgotten runs, on the real engine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from container_kit.stages.docker import labels
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.garbage import sweep
from container_kit.stages.docker.tag_journal import TagMove, record

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def imported(api: APIClient, content: str, tag: str | None = None) -> str:
    """An image of one file."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        info = tarfile.TarInfo("who")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content.encode()))
    said = api.import_image_from_data(layer.getvalue(), repository=tag)
    return "sha256:" + str(said).rpartition("sha256:")[2][:64]


def there(api: APIClient, image: str) -> bool:
    try:
        api.inspect_image(image)
    except ImageNotFound:
        return False
    return True


async def test_only_unused_objects_of_expired_runs_are_removed(
    docker_api: APIClient, engine: DockerEngine, unique: Callable[[], str]
) -> None:
    forgotten, known, tag = unique(), unique(), unique()
    replaced_twice, replaced_once = imported(docker_api, unique()), imported(docker_api, unique())
    named = imported(docker_api, unique(), tag)
    for run, image in ((forgotten, replaced_twice), (forgotten, named), (known, replaced_once)):
        record(run, TagMove(engine.host, f"{image}-name", image))
    run_labels = {labels.RUN: forgotten}
    candidate = docker_api.create_container(tag, ["x"], name=f"{unique()}-candidate", labels=run_labels)["Id"]
    kept = docker_api.create_container(tag, ["x"], name=unique(), labels=run_labels)["Id"]
    gone = await sweep(engine, [forgotten])
    try:
        assert gone == [candidate, replaced_twice]
        assert not there(docker_api, replaced_twice)
        assert there(docker_api, named)
        assert there(docker_api, replaced_once), "a run that is known may give it its name back"
        assert docker_api.inspect_container(kept)["Id"] == kept
        assert await sweep(engine, [known]) == [replaced_once]
    finally:
        docker_api.remove_container(kept)


async def test_an_image_that_another_run_may_give_its_name_back_stays(
    docker_api: APIClient, engine: DockerEngine, unique: Callable[[], str]
) -> None:
    forgotten, known = unique(), unique()
    image = imported(docker_api, unique())
    for run in (forgotten, known):
        record(run, TagMove(engine.host, "shop:1", image))
    assert await sweep(engine, [forgotten]) == []
    assert there(docker_api, image)
    assert await sweep(engine, [known]) == [image]
