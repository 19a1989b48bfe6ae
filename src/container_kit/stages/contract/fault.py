"""Faults: what went wrong, told so that a person or an assistant can act on it.

Exceptions::

    ContainerKitError
    ├── WiringError        a pipeline, stage or setting that cannot work; found when it is built
    └── StageFailure       carries a `Fault`; the only exception that leaves a stage or an adapter

A `Fault` is data. Its `code` is stable and dotted, its family first: `path.missing`, `engine.unreachable`,
`dockerfile.syntax`, `build.step_failed`, `scan.gate`, `deploy.port_in_use`, `run.timeout`. Codes are declared as
`FaultCode` objects beside the adapter that finds them; a stage lists those that it may raise in `Stage.faults`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, JsonValue

from container_kit.stages.contract.artifact import Artifact


class Evidence(Artifact):
    """One observed fact behind a fault."""

    kind: Literal["file", "instruction", "log", "exit_code", "http", "condition", "value"]
    text: str
    """The fact itself: a log tail, a failing instruction, a status line. Redacted before it leaves a run."""
    where: str | None = None
    """`file:line` relative to the source root, a step, a container: where the fact was seen."""


class NextAction(Artifact):
    """One call that is likely to repair the fault."""

    why: str
    """What this call would change, in one sentence; names the file to edit first, where that is the repair."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Arguments that differ from the failed request's; a tool completes them to a call that is ready to send."""
    tool: str = ""
    """The tool to call; empty means the one that was called, and is filled in by it."""


class Resume(Artifact):
    """Where a failed run can be continued."""

    run_id: str
    stage: str


class Fault(Artifact):
    """A failure as structured data."""

    code: str
    message: str
    stage: str | None = None
    attempts: int = 1
    retryable: bool = False
    """True where the same call may succeed later with nothing changed."""
    retry_after: float | None = None
    """Seconds to wait before that call, where known."""
    evidence: tuple[Evidence, ...] = ()
    hint: str = ""
    next_actions: tuple[NextAction, ...] = ()
    resume: Resume | None = None
    rolled_back: tuple[str, ...] = ()
    """The stages whose effects were undone, in the order of undoing."""
    trace_id: str | None = None


class ContainerKitError(Exception):
    """The root of all exceptions of this package."""


class WiringError(ContainerKitError):
    """A pipeline, stage or setting that cannot work, found when it is built."""


class StageFailure(ContainerKitError):
    """A stage could not do its work; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.code}: {fault.message}")
        self.fault = fault


class FaultCode:
    """A kind of fault: calling it gives a `StageFailure` to raise.

    >>> PORT_IN_USE = FaultCode("deploy.port_in_use", means="The host port is taken.", hint="Use port {free}.")
    >>> PORT_IN_USE("port 80 is taken by nginx", free=8081).fault.hint
    'Use port 8081.'
    """

    __slots__ = ("code", "hint", "means", "retryable")

    def __init__(self, code: str, *, means: str, hint: str, retryable: bool = False) -> None:
        self.code = code
        self.means = means
        self.hint = hint
        self.retryable = retryable

    def __call__(
        self,
        message: str,
        *,
        evidence: Sequence[Evidence] = (),
        next_actions: Sequence[NextAction] = (),
        retry_after: float | None = None,
        **facts: Any,
    ) -> StageFailure:
        """Make the exception.

        Args:
            message: What happened, with the names and numbers of this case.
            evidence: The facts that were seen, the most telling first.
            next_actions: Calls that are likely to repair it, the best first.
            retry_after: Seconds after which the same call may succeed.
            facts: Values for the placeholders of the code's hint.
        """
        return StageFailure(
            Fault(
                code=self.code,
                message=message,
                retryable=self.retryable,
                retry_after=retry_after,
                evidence=tuple(evidence),
                hint=self.hint.format(**facts) if facts else self.hint,
                next_actions=tuple(next_actions),
            )
        )

    def __repr__(self) -> str:
        return f"FaultCode({self.code!r})"
