"""Calls to one stage with the inputs that the engine would give it, in the order of the engine."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.wiring import Signature, arguments
from container_kit.stages.contract.stage import Preview, Stage, StageContext


async def validate(stage: Stage[Any], ctx: StageContext, *inputs: BaseModel | None) -> Any:
    """Resolve the inputs and validate them; return the resolved value."""
    signature, artifacts = Signature.of(stage), _artifacts(inputs)
    resolved = await stage.resolve(ctx, **arguments(signature.resolve, artifacts)) if signature.resolve else None
    await stage.validate(ctx, **arguments(signature.validate, artifacts, resolved))
    return resolved


async def execute(stage: Stage[Any], ctx: StageContext, *inputs: BaseModel | None) -> Any:
    """Resolve, validate and execute."""
    resolved = await validate(stage, ctx, *inputs)
    return await stage.execute(ctx, **arguments(Signature.of(stage).execute, _artifacts(inputs), resolved))


async def preview(stage: Stage[Any], ctx: StageContext, *inputs: BaseModel | None) -> Preview[Any]:
    """Resolve, validate and preview."""
    resolved = await validate(stage, ctx, *inputs)
    return await stage.preview(ctx, **arguments(Signature.of(stage).preview, _artifacts(inputs), resolved))


def _artifacts(inputs: tuple[BaseModel | None, ...]) -> Artifacts:
    return Artifacts(item for item in inputs if item is not None)
