"""`push`: an image to a registry, and the digest that the registry confirms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.push import PushedImage
from container_kit.tools.builtin._fields import DryRun, OneTarget, Timeout, image_of
from container_kit.tools.pipeline_tool import Plan, backed_by_pipeline, plan
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Call, Offer


class PushInput(OneTarget):
    """What to push, and where to."""

    repository: Annotated[str, Field(description="[registry[:port]/]path, without a tag")]
    tag: Annotated[str, Field(description="Default: the image's own")] | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(call: Call, asked: PushInput) -> Plan:
    if asked.path is not None:
        return plan("push-source", asked)
    if asked.run is None:
        return plan("push", asked)
    image = await image_of(call, asked.run)
    return plan("push", asked, run=None, image=image.id, tag=asked.tag or image.reference.rpartition(":")[2])


PUSH = Offer(
    name="push",
    title="Push an image to a registry",
    description=(
        "Push an image (image, the run that built it, or path for the newest image built from it) to a registry. "
        "Credentials are those of docker login or of the server's environment, never arguments. The digest is read "
        "back from the registry. Next: deploy pushed_image.pinned, which nobody can move; rollback-run takes the "
        "push back."
    ),
    input=PushInput,
    output=answer_schema(PushedImage),
    toolset="registry",
    effect="replaces",
    work=backed_by_pipeline(_planned, (PushedImage,)),
    idempotent=True,
    open_world=True,
)
