"""Removing what a test made on the machine's engine, found by the test's own names."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import APIError

from container_kit.stages.docker.built_images import source_of
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.tag_journal import drop_runs

SOURCE = "io.container-kit.source"


def sweep(api: APIClient, names: Collection[str], sources: Path | None = None) -> None:
    """Remove containers, images, networks and volumes whose name contains, or a label of which is, one of the names.

    Args:
        api: The engine.
        names: Also the ids of runs.
        sources: Images that were built below this folder and bear no name go too.
    """
    drop_runs(names, DockerEngine().host)
    if sources is not None:
        _remove_replaced_images(api, sources)
    for name in names:
        for container in api.containers(all=True):
            if _is_of(name, container, container["Names"]):
                _gone(api.remove_container, container["Id"], force=True, v=True)
        _remove_images(api, name)
        for network in api.networks():
            if _is_of(name, network, [network["Name"]]):
                _gone(api.remove_network, network["Id"])
        for volume in api.volumes()["Volumes"] or []:
            if _is_of(name, volume, [volume["Name"]]):
                _gone(api.remove_volume, volume["Name"], force=True)


def _remove_images(api: APIClient, name: str) -> None:
    for image in api.images():
        for tag in image["RepoTags"] or []:
            if name in tag:
                _gone(api.remove_image, tag, force=True)
        if _is_of(name, image, image["RepoDigests"] or []):  # pulled or pushed by digest, it may have no tag
            _gone(api.remove_image, image["Id"], force=True)


def _remove_replaced_images(api: APIClient, sources: Path) -> None:
    for image in api.images(filters={"label": SOURCE, "dangling": True}):
        if (folder := source_of(image["Id"])) and Path(folder).is_relative_to(sources):
            _gone(api.remove_image, image["Id"])


def _is_of(name: str, thing: dict[str, Any], names: Iterable[str]) -> bool:
    labels = thing.get("Labels") or {}
    return any(name in other for other in names) or name in labels.values()


def _gone(remove: Any, *arguments: Any, **options: Any) -> None:
    with contextlib.suppress(APIError):  # another test, or the stage under test, was faster
        remove(*arguments, **options)
