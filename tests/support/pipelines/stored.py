"""A pipeline whose runs are stored: its stage is not declared as read-only."""

from __future__ import annotations

from container_kit import Stage, StageContext, WorkflowPipeline, minutes
from support.pipelines.gated import Ready, Stagehand, pass_gate


class PrepareStored(Stage[Ready]):
    """Prepare the stage."""

    async def execute(self, ctx: StageContext, stagehand: Stagehand) -> Ready:
        return Ready(by=await pass_gate(ctx, stagehand))


stored_show = (
    WorkflowPipeline("stored-show", inputs=Stagehand, summary="A show that is kept.")
    .add_stage(PrepareStored())
    .with_timeout(minutes(10))
)
