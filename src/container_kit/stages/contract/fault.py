"""Faults: failures as data that a person or an assistant can act on.

Exceptions::

    ContainerKitError
    ├── ConfigurationError   a setting, argument or name that cannot work; raised at start
    │   └── WiringError      a pipeline whose stages do not fit together; raised at construction
    └── StageFailure         carries a `Fault`; the only exception that leaves a stage or an adapter

A fault code is stable and dotted, with the family first: `path.not_found`, `engine.unreachable`, `dockerfile.syntax`,
`build.step_failed`, `deploy.port_in_use`, `run.timeout`. Codes are `FaultCode` objects, declared in the adapter that
detects the problem. A stage lists the codes it can raise in `Stage.faults`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field, JsonValue

from container_kit.stages.contract.artifact import Artifact


class Evidence(Artifact):
    """One observed fact behind a fault."""

    kind: Literal["file", "instruction", "log", "exit_code", "http", "condition", "value"]
    text: str
    """The fact: a log tail, a failing instruction, a status line. Redacted before it leaves a run."""
    where: str | None = None
    """The origin of the fact: `file:line` relative to the source root, a step, or a container."""


class NextAction(Artifact):
    """One call that is likely to fix the fault."""

    why: str
    """The effect of the call, in one sentence. Names the file to edit first, if the fix is an edit."""
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Arguments that differ from the failed request. The tool completes them to a call that is ready to send."""
    tool: str = ""
    """The tool to call; empty means the tool that failed, which then fills in its name."""


class Resume(Artifact):
    """The point at which a failed run can be resumed."""

    run_id: str
    stage: str


class Fault(Artifact):
    """A failure as structured data."""

    code: str
    message: str
    stage: str | None = None
    attempts: int = 1
    retryable: bool = False
    """Whether the same call may succeed later without any change."""
    retry_after: float | None = None
    """Seconds to wait before that call, if known."""
    evidence: tuple[Evidence, ...] = ()
    hint: str = ""
    next_actions: tuple[NextAction, ...] = ()
    resume: Resume | None = None
    rolled_back: tuple[str, ...] = ()
    """The stages that were rolled back, in that order."""
    trace_id: str | None = None

    def redacted(self, redact: Callable[[str], str]) -> Fault:
        """Return the fault with each of its texts redacted."""
        return Fault.model_validate(_redact_texts(self.model_dump(), redact))


def _redact_texts(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redact_texts(item, redact) for key, item in value.items()}
    return [_redact_texts(item, redact) for item in value] if isinstance(value, list | tuple) else value


class ContainerKitError(Exception):
    """The root of all exceptions of this package."""


class ConfigurationError(ContainerKitError):
    """A setting, a command line argument or a name that cannot work. Raised at start."""


class WiringError(ConfigurationError):
    """A pipeline whose stages do not fit together. Raised at construction."""


class StageFailure(ContainerKitError):
    """A stage failed; `fault` describes the failure.

    Args:
        fault: The failure.
        leftover: The stage's output, if the stage could not undo its changes. A rollback of the run receives it.
    """

    def __init__(self, fault: Fault, leftover: BaseModel | None = None) -> None:
        super().__init__(f"{fault.code}: {fault.message}")
        self.fault = fault
        self.leftover = leftover

    def __reduce__(self) -> tuple[type[StageFailure], tuple[Fault]]:
        return StageFailure, (self.fault,)  # a worker process sends it


class FaultCode:
    """A kind of fault. Calling it returns a `StageFailure` to raise.

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
        """Create the exception.

        Args:
            message: The failure, with the names and numbers of this case.
            evidence: Observed facts, the most relevant first.
            next_actions: Calls that are likely to fix the fault, the best first.
            retry_after: Seconds after which the same call may succeed.
            facts: Values for the placeholders of the hint.
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
