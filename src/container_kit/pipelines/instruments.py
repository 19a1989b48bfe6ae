"""Instruments: figures of runs and stages as OpenTelemetry metrics. Without an SDK they cost next to nothing."""

from __future__ import annotations

from opentelemetry import metrics

from container_kit.pipelines.events import Event


class Instruments:
    """A listener that records what it hears.

    - `container_kit.run.duration`: seconds of a run, by pipeline and status.
    - `container_kit.stage.duration`: seconds of a stage, by pipeline, stage and, for a failure, `error.type`.
    - `container_kit.stage.retries`: attempts beyond the first, by pipeline and stage.
    """

    def __init__(self) -> None:
        meter = metrics.get_meter("container_kit")
        self._runs = meter.create_histogram("container_kit.run.duration", unit="s", description="How long runs take")
        self._stages = meter.create_histogram(
            "container_kit.stage.duration", unit="s", description="How long stages take, retries included"
        )
        self._retries = meter.create_counter(
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
            case "stage_finished":
                self._stages.record(event.seconds or 0.0, about)
            case "stage_failed":
                code = event.fault.code if event.fault else ""
                self._stages.record(event.seconds or 0.0, {**about, "error.type": code})
            case "stage_retrying":
                self._retries.add(1, about)
