"""Runs and stages as OpenTelemetry metrics, at almost no cost without an SDK."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from container_kit.pipelines.events import Event

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter


class Instruments:
    """A listener that records OpenTelemetry metrics.

    - `container_kit.run.duration`: seconds of a run, by pipeline and status.
    - `container_kit.stage.duration`: seconds of a stage, by pipeline, stage and, for a failure, `error.type`.
    - `container_kit.stage.retries`: attempts beyond the first, by pipeline and stage.
    """

    @cached_property
    def _meter(self) -> Meter:
        from opentelemetry import metrics  # on the first event, to keep it out of a server's start

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
        attributes = {"container_kit.pipeline": event.pipeline}
        if event.stage is not None:
            attributes["container_kit.stage"] = event.stage
        match event.kind:
            case "run_finished":
                self._runs.record(event.seconds or 0.0, {**attributes, "container_kit.status": event.status or ""})
            case "stage_succeeded":
                self._stages.record(event.seconds or 0.0, attributes)
            case "stage_failed":
                code = event.fault.code if event.fault else ""
                self._stages.record(event.seconds or 0.0, {**attributes, "error.type": code})
            case "stage_retrying":
                self._retries.add(1, attributes)
