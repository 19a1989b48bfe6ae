"""Emitting the events of a run: without secrets, and with progress that never falls."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from container_kit.pipelines.events import Event, EventKind, Listener
from container_kit.stages.contract.fault import Fault
from container_kit.stages.contract.log import logger
from container_kit.stages.contract.redaction import Redactor


class EventEmitter:
    """Emits events to the listeners of one run.

    Args:
        steps: How many stages the run has.
    """

    def __init__(self, run_id: str, pipeline: str, steps: int, redact: Redactor, listeners: Sequence[Listener]) -> None:
        self._run_id = run_id
        self._pipeline = pipeline
        self._steps = max(steps, 1)
        self._redact = redact
        self._listeners = listeners
        self._fractions: dict[str, float] = {}
        self._progress = 0.0

    def emit(self, kind: EventKind, stage: str | None = None, *, message: str = "", **fields: Any) -> None:
        """Pass an event to each listener. A listener that raises is logged and does not fail the run."""
        event = Event(
            kind=kind,
            run_id=self._run_id,
            pipeline=self._pipeline,
            time=time.time(),
            progress=self._progress,
            stage=stage,
            message=self._redact(message),
            **fields,
        )
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - a bug in a listener must not fail a deployment
                logger("container_kit.run").exception("listener failed", listener=repr(listener), kind=kind)

    def set_progress(self, stage: str, fraction: float) -> None:
        """Set the completed fraction of a stage, 0 to 1."""
        self._fractions[stage] = min(max(fraction, self._fractions.get(stage, 0.0)), 1.0)
        self._progress = min(max(self._progress, sum(self._fractions.values()) / self._steps), 1.0)

    def redact_fault(self, fault: Fault) -> Fault:
        """Return the fault without secrets."""
        return fault.redacted(self._redact)
