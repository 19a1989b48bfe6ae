"""The test pipeline that a team uses for its own pipelines."""

from __future__ import annotations

import pytest

from container_kit import TestPipeline, WiringError, WorkflowPipeline
from support.pipelines.toy_stages import Bake, Bread, Dough, Flour, Jam, Knead, burnt

pytestmark = pytest.mark.anyio


async def test_a_mock_takes_the_place_of_a_stage() -> None:
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead()).add_stage(Bake())
    test = TestPipeline(pipeline).with_mock_stage("knead", returns=Dough(grams=5000))
    response = await test.run(Flour())
    assert (response.artifacts[Bread].loaves, test.mock("knead").executions) == (10, 1)


async def test_the_pipeline_under_test_is_left_as_it_was() -> None:
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead()).add_stage(Bake())
    await TestPipeline(pipeline).with_mock_stage("bake", fails=burnt()).run(Flour())
    assert (await pipeline.run(Flour())).status == "success"


async def test_mocks_alone_make_a_pipeline() -> None:
    test = TestPipeline().with_mock_stage("first", returns=Dough(grams=1)).with_mock_stage("second", fails=burnt())
    response = await test.run()
    assert [stage.status for stage in response.stages] == ["success", "failed"]


def test_a_mock_for_a_stage_that_is_not_there_is_refused() -> None:
    with pytest.raises(WiringError, match="has no stage 'toast'"):
        TestPipeline(WorkflowPipeline("bread", inputs=Flour).add_stage(Knead())).with_mock_stage("toast")


def test_a_mock_that_makes_something_else_is_refused() -> None:
    pipeline = WorkflowPipeline("bread", inputs=Flour).add_stage(Knead())
    with pytest.raises(WiringError, match="makes Dough, not Jam"):
        TestPipeline(pipeline).with_mock_stage("knead", returns=Jam(kind="fig"))
