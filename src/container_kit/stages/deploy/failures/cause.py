"""The form of the tables: a cause, the texts that identify it, and its repair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.deploy.failures.crash import Crash

Facts = defaultdict[str, Any]
Actions = Callable[[Crash, Facts], Sequence[NextAction]]
When = Callable[[Crash, Facts], bool]


@dataclass(frozen=True)
class Cause:
    """One cause, with the texts in a log that identify it."""

    code: FaultCode
    expressions: tuple[re.Pattern[str], ...]
    message: str
    repair: str
    actions: Actions | None = None
    when: When | None = None

    def explain(self, crash: Crash) -> StageFailure | None:
        """Create the fault if a text of the cause is in the log."""
        for expression in self.expressions:
            match = expression.search(crash.log)
            if match is None:
                continue
            facts = _facts(crash, match)
            if self.when is None or self.when(crash, facts):
                return self._fault(crash, facts, _line_of(match))
        return None

    def _fault(self, crash: Crash, facts: Facts, line: str) -> StageFailure:
        facts["repair"] = repair = " ".join(self.repair.format_map(facts).split())
        where = crash.locate()
        message = " ".join(f"{crash.app}: {self.message.format_map(facts)}".split())
        actions = list(self.actions(crash, facts)) if self.actions else []
        located = [Evidence(kind="file", text=line[:500], where=where)] if where else []
        return self.code(
            f"{message} ({where})" if where else message,
            evidence=[*located, *([] if where else [Evidence(kind="log", text=line[:500], where="the log")])],
            next_actions=actions or [rebuild(repair, where)],
            **facts,
        )


def _facts(crash: Crash, match: re.Match[str]) -> Facts:
    """Return the named groups; of the groups with one name, that of the alternative that matched."""
    facts: Facts = defaultdict(str, image=crash.image, user=crash.user)
    for name, text in match.groupdict().items():
        shown = name.partition("__")[0]
        facts[shown] = facts[shown] or (text or "").strip()
    return facts


def _compile(expression: str) -> re.Pattern[str]:
    """Compile an expression whose alternatives may use the same names."""
    seen: dict[str, int] = {}

    def rename(group: re.Match[str]) -> str:
        seen[group[1]] = number = seen.get(group[1], 0) + 1
        return group[0] if number == 1 else f"(?P<{group[1]}__{number}>"

    return re.compile(re.sub(r"\(\?P<(\w+)>", rename, expression), re.MULTILINE)


def _line_of(match: re.Match[str]) -> str:
    text = match.string
    begin, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    return text[begin : end if end >= 0 else len(text)].strip()


def cause(
    code: str,
    means: str,
    expressions: Sequence[str],
    message: str,
    repair: str,
    *,
    actions: Actions | None = None,
    when: When | None = None,
    retryable: bool = False,
) -> Cause:
    """Declare a cause together with its fault code."""
    fault = FaultCode(code, means=means, hint="{repair}", retryable=retryable)
    return Cause(fault, tuple(map(_compile, expressions)), message, repair, actions, when)


def rebuild(repair: str, where: str | None = None) -> NextAction:
    """Propose to build and deploy the repository again after an edit; dropped if no folder was given."""
    place = f" (see {where})" if where else ""
    return NextAction(
        tool=ToolName.FULL_DEPLOYMENT, why=f"{repair.rstrip('.')}{place}; then this builds and deploys it."
    )
