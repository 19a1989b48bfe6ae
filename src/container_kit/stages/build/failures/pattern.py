"""Patterns of known failures: the text that identifies one, and its fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from container_kit.stages.build.inputs import Inputs
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.formats.dockerfile import Instruction

_MAX_LOG = 3000


@dataclass(frozen=True)
class Failure:
    """One failed build, as far as it is known."""

    error: str
    """The builder's message."""
    output: str
    """The last lines of the failed step's output."""
    inputs: Inputs
    instruction: Instruction | None
    """The failed instruction; None if it is unknown."""
    exit_code: int | None = None
    shown: str = ""
    """The step as the builder displays it."""

    @property
    def where(self) -> str:
        """`Dockerfile:LINE`, or the Dockerfile if the line is unknown."""
        path = self.inputs.parsed.path
        return f"{path}:{self.instruction.line}" if self.instruction is not None else path

    def evidence(self, match: str = "") -> list[Evidence]:
        """List the instruction, the exit code, the log around the matched text, and the builder's message."""
        evidence: list[Evidence] = []
        if self.instruction is not None or self.shown:
            text = " ".join(self.instruction.source.split()) if self.instruction is not None else self.shown
            evidence.append(Evidence(kind="instruction", text=text[:1000], where=self.where))
        if self.exit_code is not None:
            evidence.append(Evidence(kind="exit_code", text=str(self.exit_code)))
        if self.output:
            evidence.append(Evidence(kind="log", text=self._log(match), where=self.shown[:100] or None))
        evidence.append(Evidence(kind="value", text=self.error[:1000], where="the builder"))
        return evidence

    def at(self, instruction: Instruction) -> Failure:
        """Return the same failure, located at an instruction."""
        return replace(self, instruction=instruction)

    def _log(self, match: str) -> str:
        at = self.output.find(match) if match else -1
        start = len(self.output) - _MAX_LOG
        return self.output[max(0, start if at < 0 else min(start, at - 300)) :][:_MAX_LOG]


Actions = Callable[[Failure, re.Match[str]], Sequence[NextAction]]
When = Callable[[Failure, re.Match[str]], bool]


@dataclass(frozen=True)
class FailurePattern:
    """A text that identifies one kind of failure.

    `message` and the hint of `code` may use the named groups of the expression, and `{where}`.
    """

    code: FaultCode
    expression: re.Pattern[str]
    message: str
    actions: Actions | None = None
    when: When | None = None
    """A further condition."""
    repair: str = ""
    """The value of `{repair}` in the hint, for a code that several patterns share; it may use the same names."""

    def explain(self, failure: Failure, text: str) -> StageFailure | None:
        """Create the fault if the text matches."""
        match = self.expression.search(text)
        if match is None or (self.when is not None and not self.when(failure, match)):
            return None
        facts = _facts(match)
        facts["where"] = failure.where
        facts["repair"] = " ".join(self.repair.format_map(facts).split())
        actions = list(self.actions(failure, match)) if self.actions else []
        return self.code(
            " ".join(f"{failure.where}: {self.message.format_map(facts)}".split()),
            evidence=failure.evidence(match.group(0)),
            next_actions=actions or [edit_and_retry(self.code.hint.format(**facts))],
            **facts,
        )


def _facts(match: re.Match[str]) -> defaultdict[str, Any]:
    """Return the named groups; of the groups with one name, that of the alternative that matched."""
    facts: defaultdict[str, Any] = defaultdict(str)
    for name, value in match.groupdict().items():
        shown = name.partition("__")[0]
        facts[shown] = facts.get(shown) or (value or "").strip()
    return facts


def _compile(expression: str) -> re.Pattern[str]:
    """Compile an expression whose alternatives may use the same names."""
    seen: dict[str, int] = {}

    def rename(group: re.Match[str]) -> str:
        seen[group[1]] = number = seen.get(group[1], 0) + 1
        return group[0] if number == 1 else f"(?P<{group[1]}__{number}>"

    return re.compile(re.sub(r"\(\?P<(\w+)>", rename, expression), re.MULTILINE)


def pattern(
    code: str,
    expression: str,
    message: str,
    *,
    means: str,
    hint: str,
    retryable: bool = False,
    actions: Actions | None = None,
    when: When | None = None,
) -> FailurePattern:
    """Declare a pattern together with its fault code."""
    fault = FaultCode(code, means=means, hint=hint, retryable=retryable)
    return FailurePattern(fault, _compile(expression), message, actions, when)


def sign(
    code: FaultCode,
    expression: str,
    message: str,
    repair: str,
    *,
    actions: Actions | None = None,
    when: When | None = None,
) -> FailurePattern:
    """Declare one more text that identifies a failure of a code; the hint of the code is `{repair}`."""
    return FailurePattern(code, _compile(expression), message, actions, when, repair)


def shared(code: str, means: str, *, retryable: bool = False) -> FaultCode:
    """Declare the code of a problem that several programs report, each with its own repair."""
    return FaultCode(code, means=means, hint="{repair}", retryable=retryable)


def exit_is(*codes: int) -> When:
    """Return the condition that the command ended with one of these exit codes."""

    def holds(failure: Failure, _match: re.Match[str]) -> bool:
        return failure.exit_code in codes

    return holds


def edit_and_retry(repair: str) -> NextAction:
    """Create the action for a repair that is an edit: the same call, after the edit."""
    return NextAction(why=f"{repair} Then retry the run.")
