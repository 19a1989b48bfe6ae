"""Telemetry: spans and metrics are exported by OTLP where `OTEL_*` variables ask for it, and else cost nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from container_kit.stages.contract.fault import WiringError

Signal = Literal["traces", "metrics"]


def wanted(environment: Mapping[str, str], signal: Signal = "traces") -> bool:
    """Whether the environment asks for a signal to be exported (the OpenTelemetry environment specification)."""
    exporter = environment.get(f"OTEL_{signal.upper()}_EXPORTER")
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none":
        return False
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return any(environment.get(name) for name in endpoints) or exporter == "otlp"


def configure() -> None:
    """Set the exporters up where they are wanted; the SDK is imported only then.

    Raises:
        WiringError: Export is wanted and the exporter is not installed.
    """
    try:
        if wanted(os.environ, "traces"):
            _export_traces()
        if wanted(os.environ, "metrics"):
            _export_metrics()
    except ImportError as error:
        raise WiringError("OTEL_* asks for export by OTLP: pip install 'container-kit[otlp]'") from error


def _service() -> dict[str, str]:
    return {"service.name": os.environ.get("OTEL_SERVICE_NAME", "container-kit")}


def _export_traces() -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # type: ignore[import-not-found,unused-ignore]  # an extra
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create(_service()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)  # its own exit handler flushes what is left


def _export_metrics() -> None:
    from opentelemetry import metrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # type: ignore[import-not-found,unused-ignore]  # an extra
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader], Resource.create(_service())))
