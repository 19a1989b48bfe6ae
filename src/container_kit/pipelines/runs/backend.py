"""The interface of the two backends for runs: memory and the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from pydantic import JsonValue

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineRequest, PipelineResponse
from container_kit.pipelines.run_info import LogPart, RunInfo, RunState
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.stage_states import StageStates


class RunBackend(Protocol):
    """Executes runs and keeps their records.

    A caller sees only its own runs. The methods with a run id raise `StageFailure`: `run.not_found` for any other id,
    and a fault of the store if it cannot be used.
    """

    async def execute(self, plan: Plan, request: PipelineRequest, caller: Caller) -> PipelineResponse:
        """Execute a run and wait for its end.

        Cancelling the calling task cancels the run, if the caller wants it; an atomic run is rolled back.

        Raises:
            RunDetached: The run continues without the caller.
            StageFailure: `request.invalid`, or a fault of the store.
        """
        ...

    async def retry(
        self, run_id: str, caller: Caller, changes: Mapping[str, JsonValue], from_stage: str | None = None
    ) -> PipelineResponse:
        """Execute a new run from the failed stage of another one, with changed input.

        Raises:
            RunDetached: The run continues without the caller.
            StageFailure: `run.not_ended`, `request.invalid`.
        """
        ...

    async def roll_back(self, run_id: str, caller: Caller) -> PipelineResponse:
        """Roll back the stages of a run that has ended.

        Raises:
            RunDetached: The run continues without the caller.
            StageFailure: `run.not_ended`, `run.read_only`.
        """
        ...

    async def get(self, run_id: str, principal: str | None) -> RunInfo:
        """Return one run with its stages."""
        ...

    async def stage_states(self, run_id: str, principal: str | None) -> tuple[RunInfo, StageStates]:
        """Return one run and the current states of its stages."""
        ...

    def watch(self, run_id: str, principal: str | None, on_ready: Callable[[], None]) -> AsyncIterator[str | None]:
        """Yield the stages that change from now on, None for the run itself, until the run has ended.

        Args:
            run_id: The run.
            principal: The caller.
            on_ready: Called as soon as no change is missed.
        """
        ...

    async def artifacts(self, run_id: str, principal: str | None) -> Artifacts:
        """Return the artifacts of a run so far."""
        ...

    async def metadata(self, run_id: str, principal: str | None) -> Mapping[str, JsonValue]:
        """Return the data that the caller stored with a run."""
        ...

    async def log(
        self, run_id: str, principal: str | None, stage: str, first: int | None = None, count: int = 200
    ) -> LogPart:
        """Return lines of a stage's log; None for `first` means the last `count` lines."""
        ...

    async def cancel(self, run_id: str, principal: str | None) -> RunInfo:
        """Cancel a run. A run that has ended does not change."""
        ...

    async def list_runs(
        self,
        principal: str | None,
        status: RunState | None,
        pipeline: str | None,
        application: str | None,
        limit: int,
    ) -> list[RunInfo]:
        """Return the newest runs that match, newest first, without their stages."""
        ...

    async def stop(self) -> None:
        """Cancel the runs that this process started, and wait for their clean-up."""
        ...

    async def release(self) -> None:
        """Shut down. Stored runs stay as they are, for the next process; runs in memory are cancelled."""
        ...
