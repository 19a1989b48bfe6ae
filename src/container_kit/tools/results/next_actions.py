"""Next actions of a fault as calls that are ready to send. No action repeats the failed call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue, ValidationError

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.plan import Plan
from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import Fault, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.tool import Tool

CONFIDENTIAL = frozenset({"env", "build_args"})
"""Arguments whose values never appear in a result."""
_IMAGE_SOURCES = frozenset({"path", "image", "run"})
_FIRST_STAGE = "analyze"
"""The stage to retry from after an edit of the source tree, if the run has it."""


@dataclass(frozen=True, slots=True)
class FailedCall:
    """The call that a fault answers, or the run that it ended."""

    tool: str
    """The tool whose work failed; for `retry-run` the tool of the retried run."""
    tools: Mapping[str, Tool]
    """All tools that the client may call, by name."""
    arguments: Mapping[str, JsonValue] | None = None
    """The arguments as the client sent them; None if they are not known, or were those of a retry."""
    run: str | None = None
    source: Source | None = None
    stages: tuple[str, ...] = ()
    """The stages of the run's plan, in order."""
    module: str | None = None
    """The module of a source tree that has several; None for others."""


def failed_call(
    tools: Mapping[str, Tool],
    pipeline: str,
    called: str | None,
    arguments: Mapping[str, JsonValue] | None,
    *,
    run: str | None,
    artifacts: Artifacts,
    plan: Plan | None,
) -> FailedCall:
    """Return the call behind a failed run.

    Args:
        tools: All tools that the client may call, by name.
        pipeline: The pipeline of the run.
        called: The tool that the client called; None if the run was not started by a tool.
        arguments: What the client sent.
        run: The id of the run.
        artifacts: What the run knew: its source tree and perhaps the analysis.
        plan: The plan of the run.
    """
    repeatable = called is not None and called != ToolName.RETRY_RUN
    return FailedCall(
        tool=called if repeatable and called is not None else pipeline.removesuffix("-source"),
        tools=tools,
        arguments=arguments if repeatable else None,
        run=run,
        source=artifacts.get(Source),
        module=_module(artifacts),
        stages=tuple(step.name for step in plan.steps()) if plan is not None else (),
    )


def _module(artifacts: Artifacts) -> str | None:
    source, analysis = artifacts.get(Source), artifacts.get(Analysis)
    if source is None:
        return None
    if source.module != ".":
        return source.module
    chosen = analysis.module(".") if analysis is not None and len(analysis.modules) > 1 else None
    return chosen.path if chosen is not None else None


@dataclass(frozen=True, slots=True)
class _Renderer:
    call: FailedCall
    fault: Fault
    sent: Mapping[str, JsonValue] = field(default_factory=dict)

    def ready(self, action: NextAction) -> NextAction | None:
        """Return the action with all arguments that its tool needs; None if it cannot be called."""
        name = action.tool or self.call.tool
        tool = self.call.tools.get(name)
        if tool is None:
            return None
        if name != self.call.tool:
            return self._other(action, tool)
        merged = merge_arguments(self.sent, action.arguments, tool)
        changes = {key: value for key, value in action.arguments.items() if self.sent.get(key) != value}
        if self.call.arguments is None or not changes or CONFIDENTIAL & merged.keys():
            retry = self._retry(action, changes)
            if retry is not None or self.call.arguments is None:
                return retry
            if not changes and self.call.run is None and not action.arguments:
                return None  # the identical call
        return _validated(tool, *_without_confidential(merged, action.why))

    def _retry(self, action: NextAction, changes: Mapping[str, JsonValue]) -> NextAction | None:
        """Return the retry of the run with the changes, from the first stage that depends on an edit."""
        tool = self.call.tools.get(ToolName.RETRY_RUN)
        own = self.call.tools.get(self.call.tool)
        if tool is None or own is None or self.call.run is None or not _is_accepted(own, changes):
            return None
        arguments: dict[str, JsonValue] = {"run": self.call.run}
        if changes:
            arguments["input"] = dict(changes)
        elif _FIRST_STAGE in self.call.stages and self._failed_after(_FIRST_STAGE):
            arguments["from_stage"] = _FIRST_STAGE
        return _validated(tool, arguments, action.why)

    def _failed_after(self, stage: str) -> bool:
        failed, stages = self.fault.stage, self.call.stages
        edit = not self.fault.retryable
        return edit and failed in stages and stages.index(failed) > stages.index(stage)

    def _other(self, action: NextAction, tool: Tool) -> NextAction | None:
        known: dict[str, JsonValue] = {}
        if self.call.source is not None:
            known = {"path": self.call.source.path}
            known |= {"module": self.call.source.module} if self.call.source.module != "." else {}
        arguments = merge_arguments({**known, **self.sent}, action.arguments, tool)
        given = CONFIDENTIAL & action.arguments.keys()
        shown, why = _without_confidential(arguments, action.why, kept=given)
        shown |= {name: action.arguments[name] for name in given}
        return _validated(tool, shown, why)


def ready_actions(fault: Fault, call: FailedCall) -> tuple[NextAction, ...]:
    """Return the next actions of a fault as calls, the best first, without those that cannot be called."""
    renderer = _Renderer(call, fault, call.arguments or {})
    ready = (renderer.ready(action) for action in fault.next_actions)
    unique = {action.model_dump_json(exclude={"why"}): action for action in reversed([*filter(None, ready)])}
    return tuple(reversed(unique.values()))


def merge_arguments(
    sent: Mapping[str, JsonValue], changes: Mapping[str, JsonValue], tool: Tool
) -> dict[str, JsonValue]:
    """Return arguments for a tool: those that were sent and that it accepts, with the changes; None removes one."""
    kept = {key: value for key, value in sent.items() if key in tool.input.model_fields}
    if _IMAGE_SOURCES & changes.keys():
        kept = {key: value for key, value in kept.items() if key not in _IMAGE_SOURCES}
    merged = {**kept, **changes}
    for key, value in changes.items():
        before = kept.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[key] = {**before, **value}
    return {key: value for key, value in merged.items() if value is not None}


def _without_confidential(
    arguments: Mapping[str, JsonValue], why: str, kept: frozenset[str] | set[str] = frozenset()
) -> tuple[dict[str, JsonValue], str]:
    omitted = sorted((CONFIDENTIAL & arguments.keys()) - kept)
    if omitted:
        why = f"{why} (pass {', '.join(omitted)} again: these values are not repeated here)"
    return {key: value for key, value in arguments.items() if key not in CONFIDENTIAL}, why


def _is_accepted(tool: Tool, changes: Mapping[str, JsonValue]) -> bool:
    return changes.keys() <= tool.input.model_fields.keys() and "timeout" not in changes


def _validated(tool: Tool, arguments: dict[str, JsonValue], why: str) -> NextAction | None:
    try:
        tool.input.model_validate(arguments)
    except ValidationError:
        return None
    return NextAction(tool=tool.name, arguments=arguments, why=why)
