"""The request and the response of a pipeline."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, JsonValue, PrivateAttr

from container_kit.pipelines.artifacts import Artifacts
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.tool_names import ToolName

StageStatus = Literal[
    "success", "failed", "cancelled", "skipped", "not_run", "rolled_back", "previewed", "indeterminate"
]
"""`previewed` and `indeterminate` occur only in dry runs; `indeterminate` stages depend on unpredictable artifacts."""

RunStatus = Literal["success", "failed", "rolled_back", "rollback_incomplete", "cancelled"]


RUN_NOT_FOUND = FaultCode(
    "run.not_found",
    means="There is no such run, or it was pruned.",
    hint="List the runs to find the right id.",
)


def run_not_found(run_id: str) -> StageFailure:
    """Return the failure for an id without a run, or with another caller's run."""
    action = NextAction(tool=ToolName.LIST_RUNS, why="list the runs, newest first")
    return RUN_NOT_FOUND(f"no run {run_id[:64]!r}", next_actions=[action])


def new_run_id() -> str:
    """Return a random id of 96 bits, as 24 hexadecimal digits."""
    return secrets.token_hex(12)


def merge_input(before: Mapping[str, JsonValue], changes: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the input of a retry. A mapping, such as `env`, keeps the entries that the changes do not name."""
    merged = {**before, **changes}
    for name, value in changes.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[name] = {key: item for key, item in {**old, **value}.items() if item is not None}
    return merged


class PipelineOptions(Artifact):
    """The options of one run."""

    timeout: float | None = Field(default=None, gt=0)
    """Seconds for the whole run; None means the timeout of the pipeline."""
    dry_run: bool = False
    """Validate every stage and preview the changes without making them."""


class PipelineRequest(Artifact):
    """The request for one run."""

    type: str
    """The pipeline's name."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    """The fields of all input artifacts."""
    id: str = Field(default_factory=new_run_id)
    options: PipelineOptions = PipelineOptions()


class StageResult(Artifact):
    """The result of one stage."""

    name: str
    status: StageStatus
    attempts: int = 0
    seconds: float = 0.0
    fault: Fault | None = None
    notes: tuple[str, ...] = ()
    """The planned changes in a dry run, or the reason why the stage was skipped."""


class PipelineResponse(Artifact):
    """The result of one run."""

    id: str
    pipeline: str
    status: RunStatus
    dry_run: bool = False
    stages: tuple[StageResult, ...]
    seconds: float
    fault: Fault | None = None
    """The reason if the run did not succeed."""
    trace_id: str | None = None
    _artifacts: Artifacts = PrivateAttr(default_factory=Artifacts)

    @property
    def artifacts(self) -> Artifacts:
        """The inputs and outputs of the run, by type: `response.artifacts[Image]`."""
        return self._artifacts

    def stage(self, name: str) -> StageResult:
        """Return the result of one stage.

        Raises:
            KeyError: The pipeline has no such stage.
        """
        for result in self.stages:
            if result.name == name:
                return result
        raise KeyError(name)

    def with_artifacts(self, artifacts: Artifacts) -> PipelineResponse:
        """Add the artifacts and return the response."""
        self._artifacts = artifacts
        return self
