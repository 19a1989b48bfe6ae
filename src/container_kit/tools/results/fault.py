"""Faults as answers: next actions made ready to send, and a text that holds all that is needed to act on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import JsonValue, ValidationError

from container_kit.pipelines.plan import REQUEST_INVALID
from container_kit.stages.contract.fault import Evidence, Fault, NextAction, StageFailure
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.results.success import compact
from container_kit.tools.tool import Tool, ToolCall, ToolResult

TEXT_LIMIT = 10_000
"""Characters of the text of a fault: some clients show an assistant no more."""
CONFIDENTIAL = frozenset({"env", "build_args"})
"""Arguments whose values are never repeated."""
_PROBLEMS_TOLD = 20
_UNKNOWN = "extra_forbidden"
_WORDS = {_UNKNOWN: "there is no such argument", "missing": "is needed"}
_TARGETS = frozenset({"path", "image", "run"})
_EVIDENCE_LIMIT = 4_000


def failure(fault: Fault, call: ToolCall) -> ToolResult:
    """The answer that tells a fault."""
    complete = _completed(fault, call)
    data = compact(complete.model_dump(mode="json"))
    for action in data.get("next_actions", ()):
        action.setdefault("arguments", {})  # ready to send, also where there is none
    return ToolResult(fault_text(complete), data, complete)


def invalid_request(call: ToolCall, error: ValidationError) -> StageFailure:
    """The failure of arguments that do not fit; it names the fields and repeats no value of theirs."""
    details = error.errors(include_input=False, include_context=False, include_url=False)
    problems = [
        (
            ".".join(map(str, detail["loc"]))[:100] or "arguments",
            _WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, ")),
        )
        for detail in details
    ]
    told = problems[:_PROBLEMS_TOLD]
    more = f"; and {len(problems) - len(told)} more" if len(problems) > len(told) else ""
    fields = ", ".join(dict.fromkeys(field for field, _ in told))
    said = "; ".join(f"{field}: {problem}" for field, problem in told)
    unknown = [str(detail["loc"][0]) for detail in details[:_PROBLEMS_TOLD] if detail["type"] == _UNKNOWN]
    return REQUEST_INVALID(
        f"the arguments do not fit {call.offer.name}: {said}{more}",
        evidence=[Evidence(kind="value", where=field, text=problem) for field, problem in told],
        next_actions=_respelt(call, unknown),
        fields=fields,
    )


def _respelt(call: ToolCall, unknown: list[str]) -> list[NextAction]:
    """The same call with arguments by the names that they have; it is left out where others do not fit."""
    free = [name for name in call.offer.input.model_fields if name not in call.arguments]
    names = {name: near for name in unknown for near in get_close_matches(name, free, 1)}
    if not names or len(names) < len(unknown) or len(set(names.values())) < len(names):
        return []
    why = ", ".join(f"{name} is called {near}" for name, near in names.items())
    return [NextAction(why=why, arguments={near: call.arguments[name] for name, near in names.items()})]


def fault_text(fault: Fault) -> str:
    """The whole fault as text, what helps most first; evidence gives way where it would be too long."""
    lines = [f"{fault.code}: {fault.message}"]
    facts = [f"stage {fault.stage}"] if fault.stage else []
    facts += [f"{fault.attempts} attempts"] if fault.attempts > 1 else []
    facts += [f"undone: {', '.join(fault.rolled_back)}"] if fault.rolled_back else []
    facts += [f"run {fault.resume.run_id}"] if fault.resume else []
    facts += [f"trace {fault.trace_id}"] if fault.trace_id else []
    lines += ["; ".join(facts)] if facts else []
    lines += [f"hint: {fault.hint}"] if fault.hint else []
    if fault.retryable:
        after = f" after {fault.retry_after:g} s" if fault.retry_after else ""
        lines.append(f"the same call may succeed{after}")
    for number, action in enumerate(fault.next_actions, 1):
        arguments = json.dumps(action.arguments, ensure_ascii=False)
        lines.append(f"next {number}: {action.tool} {arguments}: {action.why}")
    head = "\n".join(lines)[:TEXT_LIMIT]
    return head + "".join(_evidence_text(fault.evidence, TEXT_LIMIT - len(head)))


def _evidence_text(evidence: tuple[Evidence, ...], room: int) -> Iterator[str]:
    for fact in evidence:
        title = f"\n{fact.kind}{f' at {fact.where}' if fact.where else ''}: "
        left = room - len(title) - 2
        if left < 80:
            return
        text = fact.text if len(fact.text) <= left else "…" + fact.text[1 - left :]  # the end of a log tells most
        yield title + text
        room -= len(title) + len(text)


def _completed(fault: Fault, call: ToolCall) -> Fault:
    actions = list(fault.next_actions)
    if not actions and fault.retryable:
        actions = [NextAction(why="the same call may succeed once the cause has passed or is mended")]
    if (
        fault.code == "run.timeout"
        and call.offer.name != ToolName.RETRY_RUN
        and "timeout" in call.offer.input.model_fields
    ):
        actions.append(NextAction(why="allow it more time", arguments={"timeout": _more_time(call)}))
    ready = [action for action in (_ready(action, call, fault) for action in actions) if action is not None]
    evidence = tuple(
        fact.model_copy(update={"text": "…" + fact.text[1 - _EVIDENCE_LIMIT :]})
        if len(fact.text) > _EVIDENCE_LIMIT
        else fact
        for fact in fault.evidence
    )
    return fault.model_copy(update={"next_actions": tuple(ready), "evidence": evidence})


def _more_time(call: ToolCall) -> float:
    asked = call.arguments.get("timeout")
    usual = call.runs.find(call.offer.name).timeout if not isinstance(asked, int | float) else asked
    return 2 * (usual or 600.0)


def _ready(action: NextAction, call: ToolCall, fault: Fault) -> NextAction | None:
    """The action with all arguments that its tool needs; None where it could not be called."""
    offer = call.offered.get(action.tool or call.offer.name)
    if offer is None:
        return None
    arguments = _merged(call.arguments, action.arguments, offer)
    why = action.why
    if CONFIDENTIAL & arguments.keys():
        if fault.resume and offer is call.offer and ToolName.RETRY_RUN in call.offered:
            changes: dict[str, JsonValue] = {"run": fault.resume.run_id}
            changes |= {"input": dict(action.arguments)} if action.arguments else {}
            return NextAction(tool=ToolName.RETRY_RUN, arguments=changes, why=why)
        left_out = ", ".join(sorted(CONFIDENTIAL & arguments.keys()))
        arguments = {key: value for key, value in arguments.items() if key not in CONFIDENTIAL}
        why = f"{why} (give {left_out} again: the values are not repeated here)"
    try:
        offer.input.model_validate(arguments)
    except ValidationError:
        return None
    return NextAction(tool=offer.name, arguments=arguments, why=why)


def _merged(sent: Mapping[str, JsonValue], changed: Mapping[str, JsonValue], offer: Tool) -> dict[str, JsonValue]:
    known = offer.input.model_fields
    kept = {key: value for key, value in sent.items() if key in known}
    if _TARGETS & changed.keys():
        kept = {key: value for key, value in kept.items() if key not in _TARGETS}
    return {key: value for key, value in {**kept, **changed}.items() if value is not None}
