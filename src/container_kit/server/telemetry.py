"""Telemetry: spans are exported by OTLP where `OTEL_*` variables ask for it, and else cost nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from container_kit.stages.fault import WiringError

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for spans to be exported (the OpenTelemetry environment specification)."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(environment.get(name) for name in _ENDPOINTS) or environment.get("OTEL_TRACES_EXPORTER") == "otlp"


def configure() -> None:
    """Set the exporter up where it is wanted; the SDK is imported only then.

    Raises:
        WiringError: Export is wanted and the exporter is not installed.
    """
    if not wanted(os.environ):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # type: ignore[import-not-found,unused-ignore]  # an extra
    except ImportError as error:
        raise WiringError("OTEL_* asks for export by OTLP: pip install 'container-kit[otlp]'") from error
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", "container-kit")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)  # its own exit handler flushes what is left
