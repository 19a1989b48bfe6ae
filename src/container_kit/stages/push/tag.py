"""The stage that gives an image another tag in the local engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import TaggedImage, TagOptions
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.docker import engine as docker_engine
from container_kit.stages.docker import images, tag_journal
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import IMAGE_REFERENCE_INVALID, ImageReference, read_tag
from container_kit.stages.docker.tag_journal import TagMove

if TYPE_CHECKING:
    from docker import APIClient


class TagImage(Stage[TaggedImage]):
    """Give an image another tag.

    Args:
        engine: The engine that has the image.
    """

    faults: ClassVar[tuple[FaultCode, ...]] = (
        IMAGE_REFERENCE_INVALID,
        images.IMAGE_NOT_FOUND,
        *docker_engine.FAULTS,
    )

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def validate(self, ctx: StageContext, options: TagOptions) -> None:
        """Check the tag.

        Raises:
            StageFailure: `image.reference_invalid`.
        """
        read_tag(options.name)

    async def preview(self, ctx: StageContext, options: TagOptions, image: Image) -> Preview[TaggedImage]:
        """Return the tag and the image."""
        return Preview((f"tag {image.reference} as {read_tag(options.name)}",))

    async def execute(self, ctx: StageContext, options: TagOptions, image: Image) -> TaggedImage:
        """Point the tag to the image.

        Raises:
            StageFailure: `image.reference_invalid`, `image.not_found` or a fault of the engine.
        """
        reference = read_tag(options.name)
        previous = await self._engine.call(lambda api: images.image_id(api, str(reference)))
        previous = tag_journal.record(ctx.run_id, TagMove(self._engine.host, str(reference), previous)).image
        if not await self._engine.call(lambda api: _tag(api, reference, image.id)):
            tag_journal.drop(ctx.run_id, self._engine.host, str(reference))
            raise images.not_found(image.id, self._engine.host)
        return TaggedImage(reference=str(reference), image_id=image.id, previous_id=previous)

    async def rollback(self, ctx: StageContext, made: TaggedImage) -> None:
        """Point the tag to the previous image again, or remove a new tag."""
        await self._engine.call(
            lambda api: images.restore_tag(api, made.reference, made.image_id, made.previous_id, keep_image=True)
        )
        tag_journal.drop(ctx.run_id, self._engine.host, made.reference)


def _tag(api: APIClient, reference: ImageReference, image: str) -> bool:
    """Point a tag to an image, and return whether the image exists."""
    if images.image_id(api, image) is None:
        return False
    images.move_tag(api, reference, image)
    return True
