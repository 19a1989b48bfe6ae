"""Instruments: figures of runs and stages as OpenTelemetry metrics. Without an SDK they cost next to nothing."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from container_kit.pipelines.events import Event

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter


class Instruments:
    """A listener that records what it hears.

    - `container_kit.run.duration`: seconds of a run, by pipeline and status.
    - `container_kit.stage.duration`: seconds of a stage, by pipeline, stage and, for a failure, `error.type`.
    - `container_kit.stage.retries`: attempts beyond the first, by pipeline and stage.
    """

    @cached_property
    def _meter(self) -> Meter:
        from opentelemetry import metrics  # with the first event, for a server's start need not wait for it

        return metrics.get_meter("container_kit")

    @cached_property
    def _runs(self) -> Histogram:
        return self._meter.create_histogram("container_kit.run.duration", unit="s", description="How long runs take")

    @cached_property
    def _stages(self) -> Histogram:
        return self._meter.create_histogram(
            "container_kit.stage.duration", unit="s", description="How long stages take, retries included"
        )

    @cached_property
    def _retries(self) -> Counter:
        return self._meter.create_counter(
            "container_kit.stage.retries", unit="{attempt}", description="Attempts beyond the first"
        )

    def __call__(self, event: Event) -> None:
        """Record one event."""
        about = {"container_kit.pipeline": event.pipeline}
        if event.stage is not None:
            about["container_kit.stage"] = event.stage
        match event.kind:
            case "run_finished":
                self._runs.record(event.seconds or 0.0, {**about, "container_kit.status": event.status or ""})
            case "stage_succeeded":
                self._stages.record(event.seconds or 0.0, about)
            case "stage_failed":
                code = event.fault.code if event.fault else ""
                self._stages.record(event.seconds or 0.0, {**about, "error.type": code})
            case "stage_retrying":
                self._retries.add(1, about)
