"""A pipeline for tests whose runs are kept in the store: it changes something, or says so."""

from __future__ import annotations

from container_kit import Stage, StageContext, WorkflowPipeline, minutes
from support.pipelines.gated import Ready, Stagehand, pass_gate


class PrepareStored(Stage[Ready]):
    """Put everything in its place."""

    async def execute(self, ctx: StageContext, stagehand: Stagehand) -> Ready:
        return Ready(by=await pass_gate(ctx, stagehand))


stored_show = (
    WorkflowPipeline("stored-show", inputs=Stagehand, summary="A show that is kept.")
    .add_stage(PrepareStored())
    .with_timeout(minutes(10))
)
