"""The form of a known failure: what it looks like, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.build.dockerfile import Instruction
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.fault import Evidence, FaultCode, NextAction, StageFailure


@dataclass(frozen=True)
class Failure:
    """One failed build, as far as it is known."""

    error: str
    """The builder's own words."""
    output: str
    """The end of what the failing step printed."""
    inputs: Inputs
    instruction: Instruction | None
    """Where it failed; None where that is not known."""
    exit_code: int | None = None
    shown: str = ""
    """The step as the builder shows it."""

    @property
    def where(self) -> str:
        """`Dockerfile:LINE`, or the Dockerfile where the line is not known."""
        path = self.inputs.parsed.path
        return f"{path}:{self.instruction.line}" if self.instruction is not None else path

    @property
    def evidence(self) -> list[Evidence]:
        """The instruction, the exit code, the log tail, the builder's words."""
        found: list[Evidence] = []
        if self.instruction is not None or self.shown:
            text = self.instruction.text if self.instruction is not None else self.shown
            found.append(Evidence(kind="instruction", text=text[:1000], where=self.where))
        if self.exit_code is not None:
            found.append(Evidence(kind="exit_code", text=str(self.exit_code)))
        if self.output:
            found.append(Evidence(kind="log", text=self.output[-3000:], where=self.shown[:100] or None))
        found.append(Evidence(kind="value", text=self.error[:1000], where="the builder"))
        return found


Actions = Callable[[Failure, re.Match[str]], Sequence[NextAction]]


@dataclass(frozen=True)
class Sign:
    """A text that gives one kind of failure away.

    `says` and the hint of `code` may use the pattern's named groups, and `{where}`.
    """

    code: FaultCode
    pattern: re.Pattern[str]
    says: str
    actions: Actions | None = None
    instructions: frozenset[str] = field(default_factory=frozenset)
    """The instructions that it is looked for in; empty means all."""

    def of(self, failure: Failure, match: re.Match[str]) -> StageFailure:
        """Make the fault."""
        facts: dict[str, Any] = {name: (value or "").strip() for name, value in match.groupdict().items()}
        facts["where"] = failure.where
        actions = list(self.actions(failure, match)) if self.actions else []
        if not actions:
            repair = self.code.hint.format(**facts)
            actions = [NextAction(why=f"{repair} Then make the same call again.")]
        return self.code(
            f"{failure.where}: {self.says.format(**facts)}", evidence=failure.evidence, next_actions=actions, **facts
        )


def sign(
    code: str,
    pattern: str,
    says: str,
    *,
    means: str,
    hint: str,
    retryable: bool = False,
    actions: Actions | None = None,
) -> Sign:
    """Declare a sign with its code."""
    fault = FaultCode(code, means=means, hint=hint, retryable=retryable)
    return Sign(fault, re.compile(pattern, re.MULTILINE), says, actions)
