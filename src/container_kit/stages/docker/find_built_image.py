"""Finding the newest image that was built from a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from container_kit.stages.artifacts.image import ImageReference
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

NO_IMAGE = FaultCode(
    "deploy.no_image",
    means="No image in the local engine was built from the folder.",
    hint="Build {path} first, or name an image or the run that built one.",
)


class FindBuiltImage(Stage[ImageReference]):
    """Find the newest image that was built from the folder."""

    read_only = True
    faults = (NO_IMAGE, *PATH_FAULTS, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(self, ctx: StageContext, source: Source) -> ImageReference:
        """Look for images that bear the folder in their label `io.container-kit.source`.

        Raises:
            StageFailure: `deploy.no_image` with the call that builds one, or a fault of the path or the engine.
        """
        folder = str(ctx.workspace.directory(source.path))
        reference = await self._engine.call(lambda api: _newest(api, folder))
        if reference is None:
            raise NO_IMAGE(
                f"no image was built from {source.path}",
                next_actions=[NextAction(tool=ToolName.BUILD, why=f"build an image from {source.path}")],
                path=source.path,
            )
        return ImageReference(image=reference)


def _newest(api: APIClient, folder: str) -> str | None:
    """The image that was named last; one that a build made again, from its cache, may have been created long ago."""
    images = api.images(filters={"label": f"io.container-kit.source={folder}"})
    if not images:
        return None
    newest = max(images, key=lambda image: (bool(_tags(image)), _named(api, image["Id"]), image["Created"]))
    return next(iter(_tags(newest)), str(newest["Id"]))


def _tags(image: dict[str, Any]) -> list[str]:
    return [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]


def _named(api: APIClient, image: str) -> str:
    """When the image was given a name last, as text that sorts; engines that do not know it tell the year 1."""
    from docker.errors import NotFound

    try:
        return str((api.inspect_image(image).get("Metadata") or {}).get("LastTagTime") or "")
    except NotFound:
        return ""
