"""Calls to stages with a `resolve` hook, in the order of the engine."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract.stage import Preview, Stage, StageContext


async def validate(stage: Stage[Any], ctx: StageContext, *inputs: Any, **named_inputs: Any) -> Any:
    """Resolve the inputs and validate them; return the resolved value."""
    resolved = await stage.resolve(ctx, *inputs, **named_inputs)
    await stage.validate(ctx, resolved)
    return resolved


async def execute(stage: Stage[Any], ctx: StageContext, *inputs: Any, **named_inputs: Any) -> Any:
    """Resolve, validate and execute."""
    return await stage.execute(ctx, await validate(stage, ctx, *inputs, **named_inputs))


async def preview(stage: Stage[Any], ctx: StageContext, *inputs: Any, **named_inputs: Any) -> Preview[Any]:
    """Resolve, validate and preview."""
    return await stage.preview(ctx, await validate(stage, ctx, *inputs, **named_inputs))
