"""The optional `resolve` hook: inputs are resolved once for each attempt, and every method receives the result."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from container_kit.pipelines.pipeline import AtomicPipeline
from container_kit.pipelines.retry import RetryPolicy
from container_kit.pipelines.testing import TestPipeline
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import FaultCode, WiringError
from container_kit.stages.contract.stage import Preview, Stage, StageContext

pytestmark = pytest.mark.anyio

BUSY = FaultCode("oven.busy", means="The oven is busy.", hint="Wait.", retryable=True)


class Flour(Artifact):
    grams: int


class Salt(Artifact):
    grain: int


class Bread(Artifact):
    grams: int


@dataclass
class Dough:
    """Not an artifact: it exists only during one attempt."""

    grams: int


class Bake(Stage[Bread]):
    """Bake bread."""

    faults = (BUSY,)

    def __init__(self, failures: int = 0) -> None:
        self.resolved: list[Dough] = []
        self.validated: list[Dough] = []
        self._failures = failures

    async def resolve(self, ctx: StageContext, flour: Flour) -> Dough:
        self.resolved.append(Dough(flour.grams * 2))
        return self.resolved[-1]

    async def validate(self, ctx: StageContext, dough: Dough) -> None:
        self.validated.append(dough)

    async def execute(self, ctx: StageContext, dough: Dough, salt: Salt | None = None) -> Bread:
        if ctx.attempt <= self._failures:
            raise BUSY("busy")
        assert dough is self.validated[-1]
        return Bread(grams=dough.grams + (salt.grain if salt else 0))

    async def preview(self, ctx: StageContext, dough: Dough) -> Preview[Bread]:
        return Preview((f"bake {dough.grams} g",), Bread(grams=dough.grams))


def _bakery(stage: Stage[Bread], *inputs: type[Artifact]) -> AtomicPipeline:
    return AtomicPipeline("bakery", inputs=inputs).add_stage(stage)


async def test_validate_and_execute_receive_the_same_resolved_value_next_to_artifacts() -> None:
    stage = Bake()
    response = await _bakery(stage, Flour, Salt).run(Flour(grams=500), Salt(grain=7))
    assert response.status == "success"
    assert response.artifacts[Bread].grams == 1007
    assert len(stage.resolved) == 1


async def test_the_inputs_are_resolved_again_for_each_attempt() -> None:
    stage = Bake(failures=2)
    policy = RetryPolicy(max_attempts=3, initial_delay=0.001)
    response = await _bakery(stage, Flour).with_retry(policy).run(Flour(grams=500))
    assert response.status == "success"
    assert len(stage.resolved) == 3


async def test_a_dry_run_previews_the_resolved_value() -> None:
    stage = Bake()
    response = await _bakery(stage, Flour).run(Flour(grams=500), dry_run=True)
    assert response.status == "success"
    assert response.artifacts[Bread].grams == 1000
    assert len(stage.resolved) == 1


async def test_a_mocked_stage_needs_no_resolve() -> None:
    mocked = TestPipeline(_bakery(Bake(), Flour)).with_mock_stage("bake", returns=Bread(grams=1))
    response = await mocked.run(Flour(grams=500))
    assert response.artifacts[Bread].grams == 1


def test_an_artifact_that_only_resolve_takes_is_an_input_of_the_stage() -> None:
    with pytest.raises(WiringError, match="no earlier stage returns Flour"):
        _bakery(Bake(), Salt)


def test_a_resolve_without_a_return_type_is_rejected_at_construction() -> None:
    class Vague(Bake):
        async def resolve(self, ctx: StageContext, flour: Flour):  # type: ignore[no-untyped-def]
            return Dough(flour.grams)

    with pytest.raises(WiringError, match="the return annotation of resolve must be one class"):
        _bakery(Vague(), Flour)
