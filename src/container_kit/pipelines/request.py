"""What is asked of a pipeline, and what it answers."""

from __future__ import annotations

import secrets
from typing import Literal

from pydantic import Field, JsonValue, PrivateAttr

from container_kit.pipelines.artifacts import Artifacts
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import Fault, FaultCode, NextAction, StageFailure

StageStatus = Literal["success", "failed", "cancelled", "skipped", "not_run", "rolled_back", "previewed", "unchecked"]
"""`previewed` and `unchecked` occur in dry runs only; `unchecked` means that a need could not be foretold."""

RunStatus = Literal["success", "failed", "rolled_back", "rollback_incomplete", "cancelled"]


RUN_NOT_FOUND = FaultCode(
    "run.not_found",
    means="There is no such run, or it was pruned.",
    hint="List the runs to find the right id.",
)


def unknown_run(run_id: str) -> StageFailure:
    """The failure of an id that is no run's, or not this caller's."""
    action = NextAction(tool="list-runs", why="see the runs that there are, the newest first")
    return RUN_UNKNOWN(f"no run {run_id[:64]!r}", next_actions=[action])


def new_run_id() -> str:
    """An id that cannot be guessed, 96 bits as 24 hexadecimal digits."""
    return secrets.token_hex(12)


class PipelineOptions(Artifact):
    """How one run is to be carried out."""

    timeout: float | None = Field(default=None, gt=0)
    """Seconds for the whole run; None means the pipeline's own."""
    dry_run: bool = False
    """Go through every stage's validation and say what would be done, changing nothing."""


class PipelineRequest(Artifact):
    """One run that is asked for."""

    type: str
    """The pipeline's name."""
    input: dict[str, JsonValue] = Field(default_factory=dict)
    """The fields of the artifacts that the pipeline is given, side by side."""
    id: str = Field(default_factory=new_run_id)
    options: PipelineOptions = PipelineOptions()


class StageResult(Artifact):
    """How one stage ended."""

    name: str
    status: StageStatus
    attempts: int = 0
    seconds: float = 0.0
    fault: Fault | None = None
    notes: tuple[str, ...] = ()
    """What the stage would do (dry run), or why it was left out."""


class PipelineResponse(Artifact):
    """How one run ended."""

    id: str
    pipeline: str
    status: RunStatus
    dry_run: bool = False
    stages: tuple[StageResult, ...]
    seconds: float
    fault: Fault | None = None
    """Why it did not succeed."""
    trace_id: str | None = None
    _artifacts: Artifacts = PrivateAttr(default_factory=Artifacts)

    @property
    def artifacts(self) -> Artifacts:
        """The artifacts that the run was given and made, by type: `response.artifacts[Image]`."""
        return self._artifacts

    def stage(self, name: str) -> StageResult:
        """The result of one stage.

        Raises:
            KeyError: The pipeline has no such stage.
        """
        for result in self.stages:
            if result.name == name:
                return result
        raise KeyError(name)

    def with_artifacts(self, artifacts: Artifacts) -> PipelineResponse:
        """The same response, carrying the artifacts."""
        self._artifacts = artifacts
        return self
