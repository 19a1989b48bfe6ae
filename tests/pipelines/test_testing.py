"""The test pipeline for custom pipelines."""

from __future__ import annotations

import pytest

from container_kit import TestPipeline, WiringError, WorkflowPipeline
from support.pipelines.toy_stages import Bake, Bread, Dough, Flour, Jam, Knead, burnt

pytestmark = pytest.mark.anyio


async def test_a_mock_replaces_a_stage() -> None:
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead()).add_stage(Bake())
    test = TestPipeline(pipeline).with_mock_stage("knead", returns=Dough(grams=5000))
    response = await test.run(Flour())
    assert (response.artifacts[Bread].loaves, test.mock("knead").executions) == (10, 1)


async def test_the_pipeline_under_test_does_not_change() -> None:
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead()).add_stage(Bake())
    await TestPipeline(pipeline).with_mock_stage("bake", fails=burnt()).run(Flour())
    assert (await pipeline.run(Flour())).status == "success"


async def test_a_pipeline_may_consist_of_mocks() -> None:
    test = TestPipeline().with_mock_stage("first", returns=Dough(grams=1)).with_mock_stage("second", fails=burnt())
    response = await test.run()
    assert [stage.status for stage in response.stages] == ["success", "failed"]


def test_a_mock_for_a_stage_that_does_not_exist_is_rejected() -> None:
    with pytest.raises(WiringError, match="has no stage 'toast'"):
        TestPipeline(WorkflowPipeline("bread", inputs=Flour).add_stage(Knead())).with_mock_stage("toast")


def test_a_mock_with_another_output_type_is_rejected() -> None:
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead())
    with pytest.raises(WiringError, match="returns Dough, not Jam"):
        TestPipeline(pipeline).with_mock_stage("knead", returns=Jam(kind="fig"))
