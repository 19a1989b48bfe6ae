"""The stage that gives an image another name in the local engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import TaggedImage, TagOptions
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.docker import engine as docker_engine
from container_kit.stages.docker import image_reference as reference
from container_kit.stages.docker import tag_journal as replaced
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import Target, named
from container_kit.stages.docker.tag_journal import TagMove
from container_kit.stages.push.refusals import IMAGE_NOT_FOUND

if TYPE_CHECKING:
    from docker import APIClient


class TagImage(Stage[TaggedImage]):
    """Give an image another name.

    Args:
        engine: Where the image is.
    """

    faults: ClassVar[tuple[FaultCode, ...]] = (reference.INVALID, IMAGE_NOT_FOUND, *docker_engine.FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def validate(self, ctx: StageContext, options: TagOptions) -> None:
        """Check the name.

        Raises:
            StageFailure: `image.reference_invalid`.
        """
        named(options.name)

    async def preview(self, ctx: StageContext, options: TagOptions, image: Image) -> Preview[TaggedImage]:
        """Say what would be named how."""
        return Preview((f"name {image.reference} {named(options.name).reference}",))

    async def execute(self, ctx: StageContext, options: TagOptions, image: Image) -> TaggedImage:
        """Move the name to the image.

        Raises:
            StageFailure: `image.reference_invalid`, `image.not_found` or a fault of the engine.
        """
        name = named(options.name)
        before = await self._engine.call(lambda api: _id_of(api, name.reference))
        before = replaced.note(ctx.run_id, TagMove(self._engine.host, name.reference, before)).image
        if not await self._engine.call(lambda api: _moved(api, name, image.id)):
            replaced.forget(ctx.run_id, self._engine.host, name.reference)
            raise IMAGE_NOT_FOUND(f"the engine has no image {image.id}", image=image.reference, host=self._engine.host)
        return TaggedImage(reference=name.reference, image_id=image.id, previous_id=before)

    async def rollback(self, ctx: StageContext, made: TaggedImage) -> None:
        """Give the name back to the image that bore it; take it away where it was free."""
        await self._engine.call(lambda api: _give_back(api, made))
        replaced.forget(ctx.run_id, self._engine.host, made.reference)


def _id_of(api: APIClient, name: str) -> str | None:
    from docker.errors import ImageNotFound

    try:
        return str(api.inspect_image(name)["Id"])
    except ImageNotFound:
        return None


def _moved(api: APIClient, name: Target, image: str) -> bool:
    there = _id_of(api, image) is not None
    return there and bool(api.tag(image, name.name, name.tag, force=True))


def _give_back(api: APIClient, made: TaggedImage) -> None:
    if made.previous_id == made.image_id or _id_of(api, made.reference) != made.image_id:
        return  # it named this image before, or somebody else has moved it since
    if made.previous_id and _id_of(api, made.previous_id):
        name = named(made.reference)
        api.tag(made.previous_id, name.name, name.tag, force=True)
    elif len(api.inspect_image(made.image_id).get("RepoTags") or ()) > 1:
        api.remove_image(made.reference, noprune=True)
