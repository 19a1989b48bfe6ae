"""Metrics of pipelines and stages."""

from __future__ import annotations

import pytest

from container_kit import Event, PipelineMetrics, RetryPolicy, TestPipeline, WorkflowPipeline
from support.pipelines.toy_stages import Bake, Bread, Flour, Knead, burnt, cold

pytestmark = pytest.mark.anyio


def finished(seconds: float, status: str = "success") -> Event:
    return Event(kind="run_finished", run_id="r", pipeline="p", time=0, progress=1, seconds=seconds, status=status)


def test_p95_is_the_nearest_rank() -> None:
    metrics = PipelineMetrics()
    for seconds in range(1, 21):
        metrics(finished(float(seconds)))
    assert metrics.of("p").p95_latency == 19


def test_only_success_counts_as_a_success() -> None:
    metrics = PipelineMetrics()
    for status in ("success", "failed", "cancelled", "success"):
        metrics(finished(1, status))
    assert (metrics.of("p").total_executions, metrics.of("p").success_rate) == (4, 0.5)


async def test_stages_are_counted_too_with_their_retries() -> None:
    metrics = PipelineMetrics()
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead()).add_stage(Bake())
    pipeline.with_retry(RetryPolicy(max_attempts=2, initial_delay=0, jitter=0))
    test = TestPipeline(pipeline).with_mock_stage("bake", returns=Bread(loaves=1), fails=[cold()])
    await test.run(Flour())
    await TestPipeline(pipeline).with_mock_stage("bake", fails=burnt()).run(Flour())
    for event in test.events:
        metrics(event)
    assert metrics.of("bread", "bake").retries == 1
    assert metrics.of("bread", "knead").total_executions == 1
    assert metrics.of("bread").success_rate == 1


def test_an_unknown_pipeline_has_no_executions() -> None:
    assert PipelineMetrics().of("none").total_executions == 0
