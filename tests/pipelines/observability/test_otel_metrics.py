"""OpenTelemetry metrics, through the real SDK."""

from __future__ import annotations

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader

from container_kit import RetryPolicy, TestPipeline, WorkflowPipeline
from container_kit.pipelines.observability.otel_metrics import Instruments
from support.pipelines.toy_stages import Bake, Bread, Flour, Knead, burnt, cold

pytestmark = pytest.mark.anyio


async def test_runs_stages_and_retries_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr(metrics, "get_meter", provider.get_meter)  # the real provider can be set only once
    listen = Instruments()
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead()).add_stage(Bake())
    pipeline.with_retry(RetryPolicy(max_attempts=2, initial_delay=0, jitter=0))
    test = TestPipeline(pipeline).with_mock_stage("bake", returns=Bread(loaves=1), fails=[cold()])
    await test.run(Flour())
    failing = TestPipeline(pipeline).with_mock_stage("bake", fails=burnt())
    await failing.run(Flour())
    for event in (*test.events, *failing.events):
        listen(event)
    data = reader.get_metrics_data()
    assert data is not None
    values = {}
    for metric in (m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics):
        for point in metric.data.data_points:
            key = (metric.name, *sorted(str(value) for value in (point.attributes or {}).values()))
            values[key] = point.count if isinstance(point, HistogramDataPoint) else point.value
    provider.shutdown()
    assert values == {
        ("container_kit.run.duration", "bread", "success"): 1,
        ("container_kit.run.duration", "bread", "failed"): 1,
        ("container_kit.stage.duration", "bread", "knead"): 2,
        ("container_kit.stage.duration", "bake", "bread"): 1,
        ("container_kit.stage.duration", "bake", "bread", "bread.burnt"): 1,
        ("container_kit.stage.retries", "bake", "bread"): 1,
    }
