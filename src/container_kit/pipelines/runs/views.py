"""Stored runs as tools show them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import StageResult
from container_kit.pipelines.runs.snapshot import RunView
from container_kit.pipelines.runs.stage_states import StageStates
from container_kit.stages.contract.fault import ConfigurationError

if TYPE_CHECKING:
    from container_kit.pipelines.durable.queries import RunRecord
    from container_kit.pipelines.durable.service import DurableRuns

_KEPT = 64


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


class StoredLives:
    """How the stages of stored runs stand; of each only the events are read that are new since it was last looked at.

    Args:
        find: Finds a pipeline by its name.
    """

    def __init__(self, find: Callable[[str], Plan]) -> None:
        self._find = find
        self._kept: OrderedDict[str, StageStates] = OrderedDict()

    async def of(self, record: RunRecord, durable: DurableRuns) -> StageStates:
        """The stages of a run."""
        live = self._kept.pop(record.id, None) or self._unheard(record)
        self._kept[record.id] = live
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        for seq, event in await durable.told(record.id, live.seq):
            if seq > live.seq:
                live.take(event)
                live.seq = seq
        return live

    def _unheard(self, record: RunRecord) -> StageStates:
        try:
            return StageStates.of(self._find(record.pipeline))
        except ConfigurationError:  # an old run of a pipeline that is offered no more
            return StageStates(stage.name for stage in (record.response.stages if record.response else ()))
