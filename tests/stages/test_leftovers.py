"""Leftovers of forgotten runs, on the real engine."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest
from docker import APIClient
from docker.errors import ImageNotFound

from container_kit.stages.docker_engine import DockerEngine
from container_kit.stages.leftovers import RUN_LABEL, sweep

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def imported(api: APIClient, run_id: str, tag: str | None = None) -> str:
    """An image of one file that bears a run's label."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        info = tarfile.TarInfo("who")
        info.size = len(run_id)
        tar.addfile(info, io.BytesIO(run_id.encode()))
    said = api.import_image_from_data(layer.getvalue(), repository=tag, changes=[f"LABEL {RUN_LABEL}={run_id}"])
    return str(said).rpartition("sha256:")[2][:64]


def there(api: APIClient, image: str) -> bool:
    try:
        api.inspect_image(image)
    except ImageNotFound:
        return False
    return True


async def test_only_what_forgotten_runs_left_and_nobody_uses_goes(
    docker_api: APIClient, engine: DockerEngine, unique: Callable[[], str]
) -> None:
    forgotten, known, tag = unique(), unique(), unique()
    untagged, of_known = imported(docker_api, forgotten), imported(docker_api, known)
    tagged = imported(docker_api, forgotten, tag)
    labels = {RUN_LABEL: forgotten}
    candidate = docker_api.create_container(tag, ["x"], name=f"{unique()}-candidate", labels=labels)["Id"]
    kept = docker_api.create_container(tag, ["x"], name=unique(), labels=labels)["Id"]
    gone = await sweep(engine, [forgotten])
    try:
        assert candidate in gone
        assert not there(docker_api, untagged)
        assert there(docker_api, tagged)
        assert there(docker_api, of_known)
        assert docker_api.inspect_container(kept)["Id"] == kept
    finally:
        docker_api.remove_container(kept)
        docker_api.remove_image(of_known)
