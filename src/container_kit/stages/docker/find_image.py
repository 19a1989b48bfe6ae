"""The stage that finds an image in the local engine."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from container_kit.stages.artifacts.image import Image, ImageReference
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.labels import SOURCE

if TYPE_CHECKING:
    from docker import APIClient

IMAGE_NOT_FOUND = FaultCode(
    "image.not_found",
    means="The local engine has no image of this name.",
    hint="Build the image first, or name an existing one: {existing}.",
)


class FindImage(Stage[Image]):
    """Look an image up in the local engine."""

    read_only = True
    faults = (IMAGE_NOT_FOUND, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(self, ctx: StageContext, reference: ImageReference) -> Image:
        """Inspect the image.

        Raises:
            StageFailure: `image.not_found` with the closest names, or a fault of the engine.
        """
        details, existing = await self._engine.call(lambda api: _inspect(api, reference.image))
        if details is None:
            raise image_not_found(reference.image, existing)
        return _image(reference.image, details)


_DANGLING = "<none>:<none>"  # the name that older engines report for an image without one


def _inspect(api: APIClient, reference: str) -> tuple[dict[str, Any] | None, list[str]]:
    from docker.errors import ImageNotFound

    try:
        return api.inspect_image(reference), []
    except ImageNotFound:
        return None, sorted(tag for image in api.images() for tag in image.get("RepoTags") or [] if tag != _DANGLING)


def image_not_found(reference: str, existing: Sequence[str] = ()) -> StageFailure:
    """Return the fault of an image that the engine does not have.

    Args:
        existing: The names of the images that it has.
    """
    near = get_close_matches(reference, existing, n=3)
    listing = ", ".join(near or existing[:10])
    return IMAGE_NOT_FOUND(
        f"no image {reference} in the local engine",
        evidence=[Evidence(kind="value", text=listing)] if listing else (),
        next_actions=[NextAction(why=f"{name} exists", arguments={"image": name}) for name in near],
        existing=listing or "see `docker images`",
    )


def _image(reference: str, details: dict[str, Any]) -> Image:
    config = details.get("Config") or {}
    labels = config.get("Labels") or {}
    exposed = (key.partition("/") for key in config.get("ExposedPorts") or {})
    return Image(
        id=details["Id"],
        reference=reference,
        size=details.get("Size", 0),
        platform=f"{details.get('Os', 'linux')}/{details.get('Architecture', 'amd64')}",
        ports=tuple(sorted(int(port) for port, _, protocol in exposed if protocol in ("", "tcp"))),
        user=config.get("User") or "",
        healthcheck=bool(config.get("Healthcheck")),
        source=labels.get(SOURCE),
    )
