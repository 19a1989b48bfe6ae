"""The runtime: where a run's steps are carried out and remembered. The driver decides, the runtime keeps."""

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
    """What came of one step: data, never an exception, so that it can be journaled."""

    status: StageStatus
    output: BaseModel | None = None
    fault: Fault | None = None
    attempts: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    replayed: bool = False
    """True where it came from the journal: its events were told when it was carried out."""

    @property
    def failed(self) -> bool:
        """True where the run cannot go on from here."""
        return self.status in ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class StepCall:
    """One step to carry out once."""

    id: str
    """Unique in the run and the same on replay: `run:build`, `undo:build`."""
    output: type[BaseModel] | None
    work: Callable[[], Awaitable[StepOutcome]]

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.id.partition(":")[2]


class CancelToken:
    """Whether work was asked to stop, and the scopes that are to hear of it.

    Args:
        parent: A wider cancellation that reaches this work too.
    """

    __slots__ = ("_parent", "_requested", "_scopes")

    def __init__(self, parent: CancelToken | None = None) -> None:
        self._parent = parent
        self._requested = False
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def requested(self) -> bool:
        """True once this or the wider cancellation was requested."""
        return self._requested or (self._parent is not None and self._parent.requested)

    def request(self) -> None:
        """Ask the work to stop. Running stages are cancelled; undoing is not."""
        self._requested = True
        for scope in self._scopes:
            scope.cancel()

    @contextmanager
    def linked(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Have the scope cancelled when the work is, for as long as the block lasts."""
        if self.requested:
            scope.cancel()
        self._scopes.add(scope)
        try:
            with self._parent.linked(scope) if self._parent else nullcontext():
                yield
        finally:
            self._scopes.discard(scope)


class Runtime(Protocol):
    """Carries out steps, each once."""

    cancellation: CancelToken

    async def steps(self, calls: Sequence[StepCall]) -> list[StepOutcome]:
        """Carry out the calls, several at the same time, and return their envelopes in order."""
        ...

    async def answer(self, approval: str, question: str, timeout: float | None) -> ApprovalDecision | None:
        """Wait for the answer at an approval point; None after `timeout` seconds or where nobody can answer."""
        ...
