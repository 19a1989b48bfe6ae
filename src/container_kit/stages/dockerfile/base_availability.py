"""Asks the engine which base images it holds and which a registry would give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.ecosystems.facets.generation.base_images import Availability

if TYPE_CHECKING:
    from docker import APIClient

_SECONDS = 6
"""For one question to a registry; a network that swallows packets costs this once."""


async def survey(engine: DockerEngine, choices: Sequence[Sequence[str]]) -> Availability:
    """Find out which references a host can have, asking no more than a choice needs.

    Args:
        engine: Where the images would be.
        choices: The candidates of each choice, the preferred one first.

    Returns:
        What is known; nothing is where no engine answers, for a Dockerfile can be written without one.
    """
    try:
        return await engine.call(lambda client: _survey(client, choices))
    except StageFailure:
        return Availability()


def _survey(client: APIClient, choices: Sequence[Sequence[str]]) -> Availability:
    present = {tag for image in client.images() for tag in image.get("RepoTags") or ()}
    digests: dict[str, str] = {}
    answers = True
    for choice in choices:
        for reference in choice:
            if answers and reference not in digests:
                answers, digest = _digest(client, reference)
                if digest:
                    digests[reference] = digest
            if reference in present or reference in digests:
                break
    return Availability(frozenset(present), digests, known=True)


def _digest(client: APIClient, reference: str) -> tuple[bool, str | None]:
    """Ask the reference's registry through the engine, which knows its mirrors and proxies."""
    import requests

    url = f"{client.base_url}/v{client.api_version}/distribution/{reference}/json"
    try:
        answer = client.get(url, timeout=_SECONDS)
    except requests.RequestException:
        return False, None
    if answer.ok:
        return True, answer.json().get("Descriptor", {}).get("digest")
    return answer.status_code in {401, 403, 404}, None
