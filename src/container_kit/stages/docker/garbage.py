"""Garbage collection: removes what expired runs left in the local engine and nothing uses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from container_kit.stages.docker import images, labels, tag_journal
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

_STOPPED = ["created", "exited", "dead"]


async def sweep(engine: DockerEngine, run_ids: Sequence[str]) -> list[str]:
    """Remove the stopped candidates of these runs, and the images that they left without a tag.

    Serving containers, containers kept for rollback and tagged images stay.

    Returns:
        The ids of the removed objects.

    Raises:
        StageFailure: A fault of the engine.
    """
    return await engine.call(lambda api: _sweep(api, set(run_ids), engine.host))


def _sweep(api: APIClient, run_ids: set[str], host: str) -> list[str]:
    from docker.errors import APIError

    removed: list[str] = []
    for container in api.containers(all=True, filters={"label": labels.RUN, "status": _STOPPED}):
        candidate = any(name.endswith("-candidate") for name in container.get("Names") or ())
        if candidate and container["Labels"][labels.RUN] in run_ids:
            with suppress(APIError):  # it is being removed, or was started in the meantime
                api.remove_container(container["Id"], v=True)
                removed.append(container["Id"])
    for image in tag_journal.drop_runs(run_ids, host):
        details = images.inspect(api, image)
        if details is not None and not images.tags(details):
            with suppress(APIError):  # a container still uses it
                api.remove_image(image)
                removed.append(image)
    return removed
