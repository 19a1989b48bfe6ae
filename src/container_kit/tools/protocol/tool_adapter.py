"""The adapter to the MCP SDK: a tool as an SDK tool, and a result as an SDK result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Self

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool as McpTool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import PrivateAttr
from starlette.requests import HTTPConnection

from container_kit.pipelines.request import run_not_found
from container_kit.pipelines.runs.client import Caller, RunDetached
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.untrusted_text import printable
from container_kit.tools.pipeline_tool import RunHandler, execute_call, faults_as_results
from container_kit.tools.protocol.elicitation import (
    can_elicit,
    inline_prompt,
    input_required,
    join_key,
    parse_decision,
    split_key,
)
from container_kit.tools.protocol.identity import current_principal, current_role
from container_kit.tools.protocol.progress import ProgressFeed, progress_feed
from container_kit.tools.protocol.sdk_internals import is_cancel_requested
from container_kit.tools.protocol.tasks.handoff import GRACE_SECONDS, TaskContext
from container_kit.tools.results.fault import fault_result
from container_kit.tools.results.schema import input_schema
from container_kit.tools.results.success import success_result
from container_kit.tools.tool import Tool, ToolCall, ToolResult

TOOL_FAILURE = "io.modelcontextprotocol/toolFailure"
"""The draft `_meta` key that holds the fields of a fault."""

ROLE_INSUFFICIENT = FaultCode(
    "role.insufficient",
    means="The role of the caller does not allow the tool.",
    hint="Use tools that only read, or ask the operator for a token with the role developer.",
)


_TARGET = "deploy_to"
"""The argument that names a target. Without configured targets, it has only one value."""


class SdkTool(McpTool):
    """An SDK tool that validates its arguments itself, so that invalid ones become faults without any value."""

    _call: ToolCall = PrivateAttr()

    @classmethod
    def of(cls, tool: Tool, runs: RunService, tools: Mapping[str, Tool], meta: Mapping[str, Any] | None = None) -> Self:
        """Return the SDK's form of a tool, without the schema of its arguments.

        Args:
            tools: All tools of the server, by name.
            meta: The `_meta` of the tool, as extensions define it.
        """
        sdk_tool = cls(
            fn=tool.handler,
            name=tool.name,
            title=tool.title,
            description=tool.description,
            parameters={},
            fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=dict(tool.output)),
            is_async=True,
            annotations=_annotations(tool),
            meta=None if meta is None else dict(meta),
        )
        sdk_tool._call = ToolCall(tool=tool, arguments={}, runs=runs, tools=tools)
        return sdk_tool

    @property
    def definition(self) -> Tool:
        """The tool behind the SDK's form."""
        return self._call.tool

    def build_schema(self) -> None:
        """Build the schema of the arguments. It takes a while, and only lists of tools need it."""
        if self.parameters:
            return
        model = self._call.tool.input
        omitted = set(model.unlisted) | (set() if self._call.runs.targets else {_TARGET})
        self.parameters = input_schema(model, omitted)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        """Execute a call, with progress if the client requested it."""
        request = context.request_context
        if self._call.tool.effect != "read_only" and current_role() == "viewer":
            fault = ROLE_INSUFFICIENT(f"{self.name} changes something, and the role viewer may not").fault
            return call_tool_result(fault_result(fault, self._call))
        async with progress_feed(request.session.report_progress) as feed:
            call = replace(self._call, arguments=arguments, caller=_caller(request, feed, self.name, arguments))
            try:
                result = await (_resume(call, context) if context.request_state else execute_call(call))
            except RunDetached as detached:
                return await _detached_result(call, request, detached)
        return call_tool_result(result)


def _caller(
    request: ServerRequestContext[Any, Any], feed: ProgressFeed, tool: str, arguments: dict[str, Any]
) -> Caller:
    """Return how the client of a request waits for a run, and whether it can ask a person."""
    return Caller(
        principal=current_principal(),
        is_operator=current_role() == "operator",
        on_event=feed,
        detach_after=GRACE_SECONDS if isinstance(request, TaskContext) else None,
        interactive=can_elicit(request),
        prompt=inline_prompt(request),
        cancels_run=partial(_is_cancelled_by_client, request),
        metadata={"tool": tool, "arguments": arguments},
    )


async def _detached_result(
    call: ToolCall, request: ServerRequestContext[Any, Any], detached: RunDetached
) -> CallToolResult | InputRequiredResult:
    """Return the interim result of a call whose run continues."""
    run_id = detached.run_id
    if isinstance(request, TaskContext):
        request.handoff.task_id = join_key(run_id, detached.approval_key)
        return CallToolResult(content=[])  # the extension returns a task instead
    return input_required(await call.runs.stored(run_id).summary(run_id, call.principal), detached.approval_key)


async def _resume(call: ToolCall, context: Context[Any, Any]) -> ToolResult:
    """Continue a call that the client repeats with answers to the run's questions."""
    run_id, key = split_key(context.request_state or "")
    handler = call.tool.handler

    async def resume() -> ToolResult:
        stored = call.runs.stored(run_id)
        run = await stored.with_key(run_id, call.principal, key)
        if (await stored.metadata(run_id, call.principal)).get("tool") != call.tool.name:
            raise run_not_found(run_id)  # another tool, perhaps of a server that may change nothing
        for approval, answer in (context.input_responses or {}).items():
            decision = parse_decision(answer)
            if approval in run.questions and decision is not None:
                await stored.resolve_approval(run_id, call.principal, key, approval, decision)
        response = await stored.follow(run_id, call.caller, key)
        return handler.to_result(call, response) if isinstance(handler, RunHandler) else success_result(response, ())

    return await faults_as_results(call, resume)


def call_tool_result(result: ToolResult) -> CallToolResult:
    """Return the SDK's form of a result. The fields of a fault are also under a draft key."""
    is_error = result.fault is not None
    return CallToolResult(
        content=[TextContent(type="text", text=printable(result.text))],
        structured_content=result.data,
        is_error=is_error,
        _meta={TOOL_FAILURE: result.data} if is_error else None,
    )


def _is_cancelled_by_client(request: ServerRequestContext[Any, Any]) -> bool:
    """Return whether the client cancelled the call, as opposed to losing the connection.

    Over HTTP in protocol revision 2026-07-28, closing the response cancels the call.
    """
    if isinstance(request.request, HTTPConnection) and request.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return True
    return is_cancel_requested(request)


def _annotations(tool: Tool) -> ToolAnnotations:
    if tool.effect == "read_only":
        return ToolAnnotations(read_only_hint=True, open_world_hint=tool.open_world)
    return ToolAnnotations(
        read_only_hint=False,
        destructive_hint=tool.effect == "destructive",
        idempotent_hint=tool.idempotent or None,
        open_world_hint=tool.open_world,
    )
