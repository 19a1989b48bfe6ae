"""Telemetry: export of spans and metrics by OTLP, enabled by `OTEL_*` variables and free of cost otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from container_kit.stages.contract.fault import ConfigurationError

Signal = Literal["traces", "metrics"]


def is_export_enabled(environment: Mapping[str, str], signal: Signal = "traces") -> bool:
    """Return whether the environment enables the export of a signal, by OpenTelemetry's specification."""
    exporter = environment.get(f"OTEL_{signal.upper()}_EXPORTER")
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or exporter == "none":
        return False
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return any(environment.get(name) for name in endpoints) or exporter == "otlp"


def configure() -> None:
    """Set up the enabled exporters. The SDK is imported only if there are any.

    Raises:
        ConfigurationError: The exporter is enabled but not installed.
    """
    try:
        if is_export_enabled(os.environ, "traces"):
            _export_traces()
        if is_export_enabled(os.environ, "metrics"):
            _export_metrics()
    except ImportError as error:
        raise ConfigurationError("OTEL_* enables OTLP export: pip install 'container-kit[otlp]'") from error


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
    trace.set_tracer_provider(provider)  # it flushes at exit


def _export_metrics() -> None:
    from opentelemetry import metrics
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # type: ignore[import-not-found,unused-ignore]  # an extra
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader], Resource.create(_service())))
