"""The fault of a call of a tool that this server does not have, or that its operator has not enabled."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from container_kit.stages.contract.fault import FaultCode, NextAction
from container_kit.tools.registry import ALL
from container_kit.tools.results.fault import fault_text
from container_kit.tools.results.success import compact
from container_kit.tools.tool import Tool, ToolResult

TOOL_DISABLED = FaultCode(
    "tool.disabled",
    means="The tool exists, but the operator has not enabled it on this server.",
    hint="It belongs to the toolset {toolset}. The operator enables it with `container-kit serve --tools {tool}`, or "
    "CONTAINER_KIT_TOOLS={tool}; {switch}.",
)
TOOL_UNKNOWN = FaultCode(
    "tool.unknown",
    means="There is no tool with this name.",
    hint="Call one of the tools of this server: {tools}.",
)
_MAX_NAME = 100


def unknown_tool(name: str, arguments: Mapping[str, Any], tools: Mapping[str, Tool]) -> ToolResult:
    """Return the result of a call of a tool that the server does not have.

    Args:
        name: The name that the client sent.
        arguments: The arguments that the client sent.
        tools: The tools of the server, by name.
    """
    normalized = name.strip().lower().replace("_", "-")
    disabled = next((tool for tool in ALL if tool.name == normalized and tool.name not in tools), None)
    shown = json.dumps(name[:_MAX_NAME], ensure_ascii=False)
    if disabled is not None:
        failure = TOOL_DISABLED(
            f"the tool {disabled.name} is not enabled on this server",
            tool=disabled.name,
            toolset=disabled.toolset,
            switch=_switch(disabled),
        )
    else:
        actions = _similar(normalized, arguments, tools)
        failure = TOOL_UNKNOWN(f"there is no tool {shown}", next_actions=tuple(actions), tools=", ".join(tools))
    data = compact(failure.fault.model_dump(mode="json"))
    for action in data.get("next_actions", ()):
        action.setdefault("arguments", {})
    return ToolResult(fault_text(failure.fault), data, failure.fault)


def _switch(tool: Tool) -> str:
    if tool.effect != "read_only":
        return f"`--toolsets default,{tool.toolset}` enables the whole toolset, unless `--read-only` hides it"
    return f"`--toolsets default,{tool.toolset}` enables the whole toolset"


def _similar(name: str, arguments: Mapping[str, Any], tools: Mapping[str, Tool]) -> Iterable[NextAction]:
    """Return the same call of the tool with the most similar name, if its arguments fit."""
    for match in get_close_matches(name, tools, 1, 0.7):
        required = {key for key, field in tools[match].input.model_fields.items() if field.is_required()}
        if required <= arguments.keys() <= tools[match].input.model_fields.keys():
            yield NextAction(tool=match, arguments=dict(arguments), why=f"{match} has the most similar name.")
