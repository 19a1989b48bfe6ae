"""Finding an image that is in the local engine already."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from container_kit.stages.artifacts.image import Image, ImageReference
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

IMAGE_MISSING = FaultCode(
    "image.missing",
    means="The local engine has no image of this name.",
    hint="Build it first, or name one that is there: {there}.",
)


class FindImage(Stage[Image]):
    """Look an image up in the local engine."""

    read_only = True
    faults = (IMAGE_MISSING, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(self, ctx: StageContext, wanted: ImageReference) -> Image:
        """Inspect the image.

        Raises:
            StageFailure: `image.missing` with the nearest names, or a fault of the engine.
        """
        details, there = await self._engine.call(lambda api: _inspect(api, wanted.image))
        if details is None:
            raise _missing(wanted.image, there)
        return _image(wanted.image, details)


_DANGLING = "<none>:<none>"  # what older engines say of an image without a name


def _inspect(api: APIClient, reference: str) -> tuple[dict[str, Any] | None, list[str]]:
    from docker.errors import ImageNotFound

    try:
        return api.inspect_image(reference), []
    except ImageNotFound:
        return None, sorted(tag for image in api.images() for tag in image.get("RepoTags") or [] if tag != _DANGLING)


def _missing(reference: str, there: list[str]) -> StageFailure:
    near = get_close_matches(reference, there, n=3)
    return IMAGE_MISSING(
        f"no image {reference} in the local engine",
        evidence=[Evidence(kind="value", text=", ".join(near or there[:10]) or "the engine has no images")],
        next_actions=[NextAction(why=f"{name} is there", arguments={"image": name}) for name in near],
        there=", ".join(near or there[:10]) or "none yet",
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
        source=labels.get("io.container-kit.source"),
    )
