"""Wiring: a pipeline whose stages do not fit together is rejected at construction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import pytest

from container_kit import AtomicPipeline, Stage, StageContext, StageFailure, WiringError, WorkflowPipeline
from container_kit.pipelines import catalog
from support.pipelines.toy_stages import Bake, Bread, Dough, Flour, Jam, Knead, Meal, OpenJam, Serve

if TYPE_CHECKING:
    from container_kit import Evidence as Invisible


def test_an_input_that_no_stage_returns_is_rejected() -> None:
    with pytest.raises(WiringError, match="stage 'bake': no earlier stage returns Dough"):
        WorkflowPipeline("meal", inputs=Flour).add_stage(Bake())


def test_two_stages_with_one_output_type_are_rejected() -> None:
    class KneadAgain(Knead):
        pass

    with pytest.raises(WiringError, match="Dough is an input or the output of two stages"):
        WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(KneadAgain())


def test_two_stages_with_one_output_type_in_a_parallel_group_are_rejected() -> None:
    class KneadAgain(Knead):
        pass

    with pytest.raises(WiringError, match="Dough is an input or the output of two stages"):
        WorkflowPipeline("meal", inputs=Flour).add_parallel_stages(Knead(), KneadAgain())


def test_a_stage_of_a_parallel_group_cannot_need_its_neighbour() -> None:
    with pytest.raises(WiringError, match="no earlier stage returns Dough"):
        WorkflowPipeline("meal", inputs=Flour).add_parallel_stages(Knead(), Bake())


def test_a_name_can_be_used_once() -> None:
    with pytest.raises(WiringError, match="a stage with this name exists"):
        WorkflowPipeline("meal", inputs=Dough).add_stage(Bake()).add_stage(Bake())


def test_a_required_need_whose_maker_may_be_skipped_is_rejected() -> None:
    class Spread(Stage[Meal]):
        async def execute(self, ctx: StageContext, jam: Jam) -> Meal:
            raise AssertionError

    pipeline = WorkflowPipeline("meal", inputs=Flour).add_conditional_stage(OpenJam(), when=lambda _: False)
    with pytest.raises(WiringError, match=r"the conditional stage 'open-jam' returns Jam; take `Jam \| None`"):
        pipeline.add_stage(Spread())


def test_an_untyped_parameter_is_rejected() -> None:
    class Vague(Stage[Bread]):
        async def execute(self, ctx: StageContext, dough) -> Bread:  # type: ignore[no-untyped-def]
            raise AssertionError

    with pytest.raises(WiringError, match="parameter dough must be typed as one artifact"):
        WorkflowPipeline("meal").add_stage(Vague())


def test_an_annotation_that_exists_only_for_type_checkers_is_rejected_with_the_remedy() -> None:
    class Hidden(Stage[Bread]):
        async def execute(self, ctx: StageContext, evidence: Invisible) -> Bread:
            raise AssertionError

    with pytest.raises(WiringError, match="not under TYPE_CHECKING"):
        WorkflowPipeline("meal").add_stage(Hidden())


def test_validate_takes_only_parameters_of_execute() -> None:
    class Picky(Bake):
        async def validate(self, ctx: StageContext, jam: Jam) -> None:
            raise AssertionError

    with pytest.raises(WiringError, match="jam is not a parameter of execute"):
        WorkflowPipeline("meal", inputs=(Jam, Dough)).add_stage(Picky())


def test_inputs_may_not_share_a_field() -> None:
    with pytest.raises(WiringError, match="Flour and Dough share the field 'grams'"):
        WorkflowPipeline("meal", inputs=(Flour, Dough)).add_stage(Bake())


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_timeout_must_be_positive(seconds: float) -> None:
    with pytest.raises(WiringError, match="a timeout must be positive"):
        AtomicPipeline("meal").with_timeout(seconds)


def test_with_stage_is_add_stage() -> None:
    pipeline = AtomicPipeline("meal", inputs=Flour).with_stage(Knead()).with_stage(Bake())
    assert [step.name for step in pipeline.steps()] == ["knead", "bake"]


def test_the_fault_of_invalid_input_names_each_field() -> None:
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead())
    request = pipeline.request().model_copy(update={"input": {"grams": "many", "yeast": 1}})
    with pytest.raises(StageFailure) as caught:
        pipeline.plan().parse_input(request)
    fault = caught.value.fault
    assert fault.code == "request.invalid"
    assert {evidence.where for evidence in fault.evidence} == {"grams", "yeast"}


def test_inputs_round_trip_through_a_request() -> None:
    pipeline = WorkflowPipeline("meal", inputs=Flour).add_stage(Knead()).add_stage(Bake()).add_stage(Serve())
    flour = Flour(grams=750, mill={"stone": "granite"})
    assert pipeline.plan().parse_input(pipeline.request(flour)) == (flour,)


def test_a_plan_does_not_change_with_its_pipeline() -> None:
    pipeline = AtomicPipeline("meal", inputs=Flour).add_stage(Knead())
    plan = pipeline.plan()
    pipeline.add_stage(Bake()).add_approval("consent", lambda _: "serve?").with_timeout(5)
    assert [step.name for step in plan.steps()] == ["knead"]
    assert (dict(plan.approvals), plan.timeout) == ({}, None)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: setattr(plan, "timeout", 1),
        lambda plan: setattr(plan.groups[0][0], "timeout", 1),
        lambda plan: plan.groups.append(()),
        lambda plan: plan.groups[0].append(None),
        lambda plan: plan.approvals.update({0: ()}),
    ],
)
def test_a_plan_cannot_be_changed(change: Callable[[Any], object]) -> None:
    plan = catalog.plan("build")
    with pytest.raises((FrozenInstanceError, AttributeError)):
        change(plan)
    assert catalog.plan("build") is plan
