"""The base images that an engine has, or can pull from a registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.ecosystems.facets.generation.base_images import Availability

if TYPE_CHECKING:
    from docker import APIClient

_SECONDS = 6
"""The time limit of a request to a registry; only the first request to an unreachable network waits for it."""


async def find_available(engine: DockerEngine, choices: Sequence[Sequence[str]]) -> Availability:
    """Return which references the engine has or can pull, with as few requests as possible.

    Args:
        engine: The engine that would hold the images.
        choices: The candidates of each choice, the preferred one first.

    Returns:
        The available references; an empty result if no engine answers, because a Dockerfile can be written without it.
    """
    try:
        return await engine.call(lambda client: _find_available(client, choices))
    except StageFailure:
        return Availability()


def _find_available(client: APIClient, choices: Sequence[Sequence[str]]) -> Availability:
    present = {tag for image in client.images() for tag in image.get("RepoTags") or ()}
    digests: dict[str, str] = {}
    reachable = True
    for choice in choices:
        for reference in choice:
            if reachable and reference not in digests:
                reachable, digest = _digest(client, reference)
                if digest:
                    digests[reference] = digest
            if reference in present or reference in digests:
                break
    return Availability(frozenset(present), digests, known=True)


def _digest(client: APIClient, reference: str) -> tuple[bool, str | None]:
    """Query the registry through the engine, which has the settings for mirrors and proxies."""
    import requests

    url = f"{client.base_url}/v{client.api_version}/distribution/{reference}/json"
    try:
        response = client.get(url, timeout=_SECONDS)
    except requests.RequestException:
        return False, None
    if response.ok:
        return True, response.json().get("Descriptor", {}).get("digest")
    return response.status_code in {401, 403, 404}, None
