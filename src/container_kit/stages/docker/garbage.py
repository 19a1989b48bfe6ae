"""Leftovers: what forgotten runs left in the local engine and nobody uses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from container_kit.stages.docker import tag_journal as replaced
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.labels import RUN

if TYPE_CHECKING:
    from docker import APIClient


async def sweep(engine: DockerEngine, run_ids: Sequence[str]) -> list[str]:
    """Remove stopped candidates that bear a label of these runs, and untagged images that they took the name from.

    What serves, what is kept to go back to and what has a name is left alone.

    Returns:
        The ids of what was removed.

    Raises:
        StageFailure: A fault of the engine.
    """
    return await engine.call(lambda api: _sweep(api, set(run_ids), engine.host))


def _sweep(api: APIClient, run_ids: set[str], host: str) -> list[str]:
    from docker.errors import APIError

    gone: list[str] = []
    for container in api.containers(all=True, filters={"label": RUN, "status": ["created", "exited", "dead"]}):
        candidate = any(name.endswith("-candidate") for name in container.get("Names") or ())
        if candidate and container["Labels"][RUN] in run_ids:
            with suppress(APIError):  # it is being removed, or was started meanwhile
                api.remove_container(container["Id"], v=True)
                gone.append(container["Id"])
    for image in replaced.drop_runs(run_ids, host):
        if _is_unnamed(api, image):
            with suppress(APIError):  # a container needs it still
                api.remove_image(image)
                gone.append(image)
    return gone


def _is_unnamed(api: APIClient, image: str) -> bool:
    from docker.errors import NotFound

    try:
        found = api.inspect_image(image)
    except NotFound:
        return False
    return not found.get("RepoTags")
