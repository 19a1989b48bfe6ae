"""The form of a known failure: what it looks like, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from container_kit.stages.build.dockerfile import Instruction
from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure

_LOG_SHOWN = 3000


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

    def evidence(self, telling: str = "") -> list[Evidence]:
        """The instruction, the exit code, the end of the log (from the telling words on), the builder's words."""
        found: list[Evidence] = []
        if self.instruction is not None or self.shown:
            text = self.instruction.text if self.instruction is not None else self.shown
            found.append(Evidence(kind="instruction", text=text[:1000], where=self.where))
        if self.exit_code is not None:
            found.append(Evidence(kind="exit_code", text=str(self.exit_code)))
        if self.output:
            found.append(Evidence(kind="log", text=self._log(telling), where=self.shown[:100] or None))
        found.append(Evidence(kind="value", text=self.error[:1000], where="the builder"))
        return found

    def at(self, instruction: Instruction) -> Failure:
        """The same failure, found to be an instruction's."""
        return replace(self, instruction=instruction)

    def _log(self, telling: str) -> str:
        at = self.output.find(telling) if telling else -1
        start = len(self.output) - _LOG_SHOWN
        return self.output[max(0, start if at < 0 else min(start, at - 300)) :][:_LOG_SHOWN]


Actions = Callable[[Failure, re.Match[str]], Sequence[NextAction]]
When = Callable[[Failure, re.Match[str]], bool]


@dataclass(frozen=True)
class FailurePattern:
    """A text that gives one kind of failure away.

    `says` and the hint of `code` may use the pattern's named groups, and `{where}`.
    """

    code: FaultCode
    pattern: re.Pattern[str]
    says: str
    actions: Actions | None = None
    when: When | None = None
    """What must hold besides."""

    def explain(self, failure: Failure, text: str) -> StageFailure | None:
        """Make the fault if the text shows this sign."""
        match = self.pattern.search(text)
        if match is None or (self.when is not None and not self.when(failure, match)):
            return None
        facts: dict[str, Any] = {name: (value or "").strip() for name, value in match.groupdict().items()}
        facts["where"] = failure.where
        actions = list(self.actions(failure, match)) if self.actions else []
        return self.code(
            " ".join(f"{failure.where}: {self.says.format(**facts)}".split()),
            evidence=failure.evidence(match.group(0)),
            next_actions=actions or [edit_and_retry(self.code.hint.format(**facts))],
            **facts,
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
    when: When | None = None,
) -> FailurePattern:
    """Declare a sign with the code that it alone gives."""
    fault = FaultCode(code, means=means, hint=hint, retryable=retryable)
    return FailurePattern(fault, re.compile(pattern, re.MULTILINE), says, actions, when)


def edit_and_retry(repair: str) -> NextAction:
    """The action of a repair that is an edit: the same call, afterwards."""
    return NextAction(why=f"{repair} Then make the same call again.")
