"""The contract between the driver and a runtime: step calls, their outcomes, and cancellation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import anyio
from pydantic import BaseModel

from container_kit.pipelines.approval import ApprovalDecision
from container_kit.pipelines.request import StageStatus
from container_kit.stages.contract.fault import Fault


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """The outcome of one step: data, never an exception, so that it can be journaled."""

    status: StageStatus
    output: BaseModel | None = None
    fault: Fault | None = None
    attempts: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    replayed: bool = False
    """The outcome was read from a journal. Its events were emitted when it was executed."""

    @property
    def failed(self) -> bool:
        """Whether the run cannot continue."""
        return self.status in ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class StepCall:
    """One step to execute once."""

    id: str
    """Unique in the run and the same on replay: `run:build`, `undo:build`."""
    output: type[BaseModel] | None
    work: Callable[[], Awaitable[StepOutcome]]

    @property
    def stage(self) -> str:
        """The name of the stage."""
        return self.id.partition(":")[2]


class CancelToken:
    """Whether cancellation was requested, and the scopes that it cancels.

    Args:
        parent: A token whose cancellation includes this one.
    """

    __slots__ = ("_parent", "_requested", "_scopes")

    def __init__(self, parent: CancelToken | None = None) -> None:
        self._parent = parent
        self._requested = False
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def requested(self) -> bool:
        """Whether cancellation of this token or its parent was requested."""
        return self._requested or (self._parent is not None and self._parent.requested)

    def request(self) -> None:
        """Request cancellation. Running stages are cancelled; rollback is not."""
        self._requested = True
        for scope in self._scopes:
            scope.cancel()

    @contextmanager
    def linked(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Cancel the scope together with this token within the block."""
        if self.requested:
            scope.cancel()
        self._scopes.add(scope)
        try:
            with self._parent.linked(scope) if self._parent else nullcontext():
                yield
        finally:
            self._scopes.discard(scope)


class Runtime(Protocol):
    """Executes steps, each once."""

    cancellation: CancelToken

    async def run_steps(self, calls: Sequence[StepCall]) -> list[StepOutcome]:
        """Execute the calls at the same time and return their outcomes in order."""
        ...

    async def wait_for_approval(self, approval: str, question: str, timeout: float | None) -> ApprovalDecision | None:
        """Wait for a decision; None after `timeout` seconds or if nobody can decide."""
        ...
