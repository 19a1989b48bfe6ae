"""The stage that finds the newest image built from a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from container_kit.stages.artifacts.image import ImageReference
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.labels import SOURCE

if TYPE_CHECKING:
    from docker import APIClient

IMAGE_NOT_BUILT = FaultCode(
    "image.not_built",
    means="No image in the local engine was built from the folder.",
    hint="Build {path} first, or name an image or the run that built one.",
)


class FindBuiltImage(Stage[ImageReference]):
    """Find the newest image that was built from the folder."""

    read_only = True
    faults = (IMAGE_NOT_BUILT, *PATH_FAULTS, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(self, ctx: StageContext, source: Source) -> ImageReference:
        """Find images by their source label.

        Raises:
            StageFailure: `image.not_built` with the call that builds one, or a fault of the path or the engine.
        """
        folder = str(ctx.workspace.directory(source.path))
        reference = await self._engine.call(lambda api: _newest(api, folder))
        if reference is None:
            raise IMAGE_NOT_BUILT(
                f"no image was built from {source.path}",
                next_actions=[NextAction(tool="build", why=f"build an image from {source.path}")],
                path=source.path,
            )
        return ImageReference(image=reference)


def _newest(api: APIClient, folder: str) -> str | None:
    """Return the image that was tagged last; a cached image may have been created long ago."""
    images = api.images(filters={"label": f"{SOURCE}={folder}"})
    if not images:
        return None
    newest = max(images, key=lambda image: (bool(_tags(image)), _last_tagged(api, image["Id"]), image["Created"]))
    return next(iter(_tags(newest)), str(newest["Id"]))


def _tags(image: dict[str, Any]) -> list[str]:
    return [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]


def _last_tagged(api: APIClient, image: str) -> str:
    """Return when the image was last tagged, as sortable text; engines without that record report the year 1."""
    from docker.errors import NotFound

    try:
        return str((api.inspect_image(image).get("Metadata") or {}).get("LastTagTime") or "")
    except NotFound:
        return ""
