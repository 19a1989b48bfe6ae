"""The stage that looks up an image in the local engine."""

from __future__ import annotations

from container_kit.stages.artifacts.image import Image, LocalImage
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.docker import images
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine


class FindImage(Stage[Image]):
    """Look up an image in the local engine."""

    read_only = True
    faults = (images.IMAGE_NOT_FOUND, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(self, ctx: StageContext, requested: LocalImage) -> Image:
        """Inspect the image.

        Raises:
            StageFailure: `image.not_found` with the most similar tags, or a fault of the engine.
        """
        details = await self._engine.call(lambda api: images.inspect(api, requested.image))
        if details is None:
            existing = await self._engine.call(images.all_tags)
            raise images.not_found(requested.image, self._engine.host, existing)
        return images.describe(details, requested.image)
