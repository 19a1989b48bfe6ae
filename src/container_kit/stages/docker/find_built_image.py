"""The stage that finds the newest image built from a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from container_kit.stages.artifacts.image import LocalImage
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.docker import built_images, images
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

IMAGE_NOT_BUILT = FaultCode(
    "image.not_built",
    means="No image in the local engine was built from the folder.",
    hint="Build {path} first, or name an image or the run that built one.",
)


class FindBuiltImage(Stage[LocalImage]):
    """Find the newest image that was built from the folder."""

    read_only = True
    faults = (IMAGE_NOT_BUILT, *PATH_FAULTS, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(self, ctx: StageContext, source: Source) -> LocalImage:
        """Look for the images that this machine recorded. A label of an image does not count.

        Raises:
            StageFailure: `image.not_built` with the call that builds one, or a fault of the path or the engine.
        """
        folder = str(ctx.workspace.directory(source.path))
        reference = await self._engine.call(lambda api: _newest(api, folder))
        if reference is None:
            raise IMAGE_NOT_BUILT(
                f"no image was built from {source.path}",
                next_actions=[NextAction(tool=ToolName.BUILD, why=f"build an image from {source.path}")],
                path=source.path,
            )
        return LocalImage(image=reference)


def _newest(api: APIClient, folder: str) -> str | None:
    """Return the most recently tagged image. Its creation time does not count: a cached build keeps an old one."""
    recorded = built_images.images_of(folder)
    candidates = [image for image in api.images() if image["Id"] in recorded] if recorded else []
    if not candidates:
        return None
    newest = max(candidates, key=lambda one: (bool(images.tags(one)), _tagged_at(api, one["Id"]), one["Created"]))
    return next(iter(images.tags(newest)), str(newest["Id"]))


def _tagged_at(api: APIClient, image: str) -> str:
    """Return when the image was last tagged, as text that sorts. Engines that do not record it return the year 1."""
    details = images.inspect(api, image) or {}
    return str((details.get("Metadata") or {}).get("LastTagTime") or "")
