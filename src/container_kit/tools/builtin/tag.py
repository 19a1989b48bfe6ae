"""`tag`: another name for an image of the local engine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.push import TaggedImage
from container_kit.tools.builtin._fields import DryRun, OneTarget, Timeout, image_of
from container_kit.tools.pipeline_tool import Plan, backed_by_pipeline, plan
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Call, Offer


class TagInput(OneTarget):
    """What to name, and how."""

    name: Annotated[str, Field(description="name[:tag]; what bore it before loses it")]
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(call: Call, asked: TagInput) -> Plan:
    if asked.path is not None:
        return plan("tag-source", asked)
    if asked.run is None:
        return plan("tag", asked)
    return plan("tag", asked, run=None, image=(await image_of(call, asked.run)).id)


TAG = Offer(
    name="tag",
    title="Name an image",
    description=(
        "Give an image of the local engine (image, the run that built it, or path for the newest image built from "
        "it) another name. Next: push it, or deploy it by that name; rollback-run gives the name back to what bore "
        "it before."
    ),
    input=TagInput,
    output=answer_schema(TaggedImage),
    toolset="registry",
    effect="replaces",
    work=backed_by_pipeline(_planned, (TaggedImage,)),
    idempotent=True,
)
