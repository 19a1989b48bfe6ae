"""Stored runs as tools show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from container_kit.pipelines.events import Event
from container_kit.pipelines.pipeline import Pipeline
from container_kit.pipelines.request import StageResult
from container_kit.tools.run_view import RunView, stage_change

if TYPE_CHECKING:
    from container_kit.pipelines.durable.history import RunRecord
    from container_kit.pipelines.durable.runs import DurableRuns

_A_MOMENT = 0.3


def view_of(record: RunRecord, stages: tuple[StageResult, ...]) -> RunView:
    """A stored run as tools show it."""
    return RunView(
        id=record.id,
        pipeline=record.pipeline,
        status=record.status,
        created=record.created,
        updated=record.updated,
        progress=record.progress,
        message=record.message,
        stage=record.stage,
        stages=stages,
        fault=record.fault,
        questions=record.questions,
        retry_of=record.retry_of,
        rolls_back=record.rolls_back,
    )


async def stages_so_far(durable: DurableRuns, record: RunRecord, pipeline: Pipeline) -> tuple[StageResult, ...]:
    """The stages of a run that has not ended, as its events tell them."""
    stages = {step.name: StageResult(name=step.name, status="not_run") for step in pipeline.steps()}
    with anyio.move_on_after(_A_MOMENT):
        async for _, event in durable.events(record.id):
            _take(stages, event)
    return tuple(stages.values())


def _take(stages: dict[str, StageResult], event: Event) -> None:
    if event.stage in stages:
        stages[event.stage] = stages[event.stage].model_copy(update=stage_change(event))
