"""Spans of a run: pipeline, stage and attempt, with errors in OpenTelemetry's form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode
from opentelemetry.util.types import AttributeValue

from container_kit.stages.contract.fault import Fault


@contextmanager
def span(name: str, **attributes: AttributeValue) -> Iterator[Span]:
    """Open a span; attribute names get the prefix `container_kit.`, with dots for underscores."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):  # without an SDK, no-op spans would cost a third of a small run
        yield INVALID_SPAN
        return
    prefixed = {f"container_kit.{key.replace('_', '.')}": value for key, value in attributes.items()}
    with provider.get_tracer("container_kit").start_as_current_span(name, attributes=prefixed) as opened:
        yield opened


def record_fault(opened: Span, fault: Fault) -> None:
    """Mark a span as failed, with the fault's code and message."""
    if opened.is_recording():
        opened.set_status(Status(StatusCode.ERROR, fault.code))
        opened.set_attribute("error.type", fault.code)
        opened.add_event("exception", {"exception.type": fault.code, "exception.message": fault.message})


def current_trace_id() -> str | None:
    """Return the id of the current trace as 32 hexadecimal digits; None without a trace."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None
