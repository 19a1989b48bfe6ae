"""A test pipeline: mocks replace some stages, for tests of custom pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel

from container_kit.pipelines.events import Event
from container_kit.pipelines.pipeline import Pipeline, WorkflowPipeline
from container_kit.pipelines.plan import Step
from container_kit.pipelines.request import PipelineResponse
from container_kit.pipelines.wiring import Signature
from container_kit.stages.contract.fault import Fault, StageFailure, WiringError
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.workspace import Workspace


class MockStage(Stage[Any]):
    """A stage that returns or raises given outcomes and counts its calls."""

    def __init__(self, name: str, outcomes: Sequence[BaseModel | Fault | None]) -> None:
        self.name = name  # type: ignore[misc]  # a mock is named by its instance
        self.executions = 0
        self.rollbacks = 0
        self._outcomes = outcomes

    async def execute(self, ctx: StageContext, **inputs: Any) -> Any:
        """Return or raise the next outcome; the last one repeats."""
        outcome = self._outcomes[min(self.executions, len(self._outcomes) - 1)]
        self.executions += 1
        if isinstance(outcome, Fault):
            raise StageFailure(outcome)
        return outcome

    async def rollback(self, ctx: StageContext, output: Any) -> None:
        """Count the call."""
        self.rollbacks += 1


class TestPipeline:
    """Runs a pipeline with mocks for some stages. The wiring, retries and rollback stay real.

    Args:
        pipeline: The pipeline under test; by default a workflow of only the mocks, in the order of their definition.
    """

    __test__ = False  # not a test class, although pytest would collect it by its name

    def __init__(self, pipeline: Pipeline | None = None) -> None:
        self._pipeline = pipeline or WorkflowPipeline("test")
        self._bare = pipeline is None
        self._mocks: dict[str, MockStage] = {}
        self.events: list[Event] = []
        """The events of the runs, in order."""

    def with_mock_stage(
        self, name: str, *, returns: BaseModel | None = None, fails: Fault | Sequence[Fault] | None = None
    ) -> Self:
        """Replace a stage.

        Args:
            name: The stage's name.
            returns: Its output, after the faults of `fails` if that is a sequence.
            fails: The fault of every attempt, or the faults of the first attempts.

        Raises:
            WiringError: The pipeline has no such stage, or the output has another type than the real one.
        """
        outcomes: list[BaseModel | Fault | None]
        outcomes = [fails] if isinstance(fails, Fault) else [*(fails or ()), returns]
        self._mocks[name] = mock = MockStage(name, outcomes)
        step = next((step for step in self._pipeline.steps() if step.name == name), None)
        if step is not None:
            expected = step.signature.output
            if isinstance(fails, Fault) or type(returns) is (expected or type(None)):
                return self
            raise WiringError(f"stage {name!r} returns {expected and expected.__name__}, not {type(returns).__name__}")
        if not self._bare:
            raise WiringError(f"pipeline {self._pipeline.name!r} has no stage {name!r}")
        output = None if returns is None else type(returns)
        self._pipeline.add_steps(Step(mock, Signature((), (), (), output)))
        return self

    async def run(self, *given: BaseModel, workspace: Workspace | None = None, **options: Any) -> PipelineResponse:
        """Run in memory, as `Pipeline.run` does."""
        pipeline = self._pipeline.with_stages_replaced(dict(self._mocks))
        return await pipeline.run(*given, listeners=[self.events.append], workspace=workspace, **options)

    def mock(self, name: str) -> MockStage:
        """Return a mock, for its `executions` and `rollbacks`."""
        return self._mocks[name]
