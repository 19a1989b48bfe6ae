"""Spans: pipeline, stage, attempt and error, through the real OpenTelemetry SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from container_kit import RetryPolicy, TestPipeline, WorkflowPipeline
from support.pipelines.toy_stages import Bake, Bread, Flour, Knead, burnt, cold

pytestmark = pytest.mark.anyio


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)  # the real one can be set only once
    yield exporter
    provider.shutdown()


def bread() -> WorkflowPipeline:
    return WorkflowPipeline("bread", inputs=Flour).add_stage(Knead()).add_stage(Bake())


def parent_names(spans: tuple[ReadableSpan, ...]) -> dict[str, str | None]:
    by_id = {span.context.span_id: span.name for span in spans if span.context}
    return {span.name: span.parent and by_id[span.parent.span_id] for span in spans}


async def test_one_trace_holds_pipeline_stages_and_attempts(spans: InMemorySpanExporter) -> None:
    response = await bread().run(Flour())
    finished = spans.get_finished_spans()
    parents = parent_names(finished)
    assert parents["pipeline bread"] is None
    assert parents["stage knead"] == parents["stage bake"] == "pipeline bread"
    assert {f"{span.context.trace_id:032x}" for span in finished if span.context} == {response.trace_id}


async def test_each_retry_is_a_span_and_the_failed_one_has_the_code(spans: InMemorySpanExporter) -> None:
    pipeline = bread().with_retry(RetryPolicy(max_attempts=2, initial_delay=0, jitter=0))
    await TestPipeline(pipeline).with_mock_stage("bake", returns=Bread(loaves=1), fails=[cold()]).run(Flour())
    attempts = {span.name: span for span in spans.get_finished_spans() if span.name == "attempt 1"}
    failed = [span for span in spans.get_finished_spans() if span.status.status_code is StatusCode.ERROR]
    assert [span.name for span in failed] == ["attempt 1"]
    assert failed[0].attributes is not None
    assert failed[0].attributes["error.type"] == "oven.cold"
    assert attempts


async def test_a_failed_run_marks_stage_and_pipeline_and_the_fault_names_the_trace(
    spans: InMemorySpanExporter,
) -> None:
    response = await TestPipeline(bread()).with_mock_stage("bake", fails=burnt()).run(Flour())
    failed = {span.name for span in spans.get_finished_spans() if span.status.status_code is StatusCode.ERROR}
    assert failed == {"attempt 1", "stage bake", "pipeline bread"}
    assert response.fault is not None
    assert response.fault.trace_id == response.trace_id


async def test_without_a_tracer_there_is_not_a_trace_id() -> None:
    assert (await bread().run(Flour())).trace_id is None
