"""The seam to the MCP SDK: an offer as an SDK tool, an answer as a tool result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool as McpTool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.server.request_state import authenticated_principal
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import PrivateAttr
from starlette.requests import HTTPConnection

from container_kit.pipelines.runs.client import Caller, RunDetached
from container_kit.pipelines.runs.service import RunService
from container_kit.tools.pipeline_tool import RunHandler, answer, told
from container_kit.tools.protocol.elicitation import answer_of, asks_at_once, has_person, input_required
from container_kit.tools.protocol.progress import ProgressFeed, feeding
from container_kit.tools.protocol.tasks.handoff import GRACE, TaskContext
from container_kit.tools.results.schema import input_schema
from container_kit.tools.results.success import success
from container_kit.tools.tool import Tool, ToolCall, ToolResult

TOOL_FAILURE = "io.modelcontextprotocol/toolFailure"
"""The draft key under which a client finds a failure's fields."""


class SdkTool(McpTool):
    """An SDK tool whose arguments are checked by us, so that bad ones are faults too and no value is repeated."""

    _call: ToolCall = PrivateAttr()

    def complete(self) -> None:
        """Make the schema of the arguments, which takes a while and only a list of tools needs."""
        self.parameters = self.parameters or input_schema(self._call.offer.input)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        """Carry out a call, with progress for a client that asked for it."""
        request = context.request_context
        async with feeding(request.session.report_progress) as feed:
            asker = _asker(request, feed, self.name, arguments)
            call = replace(self._call, arguments=arguments, asker=asker)
            try:
                answered = await (_resumed(call, context) if context.request_state else answer(call))
            except RunDetached as still:
                return await _postponed(call, request, still.run_id)
        return tool_result(answered)


def _asker(request: ServerRequestContext[Any, Any], feed: ProgressFeed, tool: str, arguments: dict[str, Any]) -> Caller:
    """How the client of a request waits, and what it can do for a person."""
    return Caller(
        principal=authenticated_principal(request),
        on_event=feed,
        patience=GRACE if isinstance(request, TaskContext) else None,
        interactive=has_person(request),
        ask=asks_at_once(request),
        cancels_run=partial(_asked_to_stop, request),
        note={"tool": tool, "arguments": arguments},
    )


async def _postponed(
    call: ToolCall, request: ServerRequestContext[Any, Any], run_id: str
) -> CallToolResult | InputRequiredResult:
    """What answers a call for now."""
    if isinstance(request, TaskContext):
        request.handing.run_id = run_id
        return CallToolResult(content=[])  # a task takes its place
    return input_required(await call.runs.stored(run_id).summary(run_id, call.principal))


async def _resumed(call: ToolCall, context: Context[Any, Any]) -> ToolResult:
    """Go on with a call that was answered with questions, now that the client has what was said to them."""
    run_id, work = context.request_state or "", call.offer.work

    async def resume() -> ToolResult:
        stored = call.runs.stored(run_id)
        run = await stored.summary(run_id, call.principal)
        for approval, said in (context.input_responses or {}).items():
            answered = answer_of(said)
            if approval in run.questions and answered is not None:
                await stored.answer(run_id, call.principal, approval, answered)
        response = await stored.follow(run_id, call.asker)
        return work.conclude(call, response) if isinstance(work, RunHandler) else success(response, ())

    return await told(call, resume)


def sdk_tool(
    offer: Tool, runs: RunService, offered: Mapping[str, Tool], meta: Mapping[str, Any] | None = None
) -> SdkTool:
    """The SDK's form of an offer, to be completed before it is listed.

    Args:
        meta: What clients are told beside it, as extensions define it.
    """
    tool = SdkTool(
        fn=offer.work,
        name=offer.name,
        title=offer.title,
        description=offer.description,
        parameters={},
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=dict(offer.output)),
        is_async=True,
        annotations=_annotations(offer),
        meta=None if meta is None else dict(meta),
    )
    tool._call = ToolCall(offer=offer, arguments={}, runs=runs, offered=offered)
    return tool


def tool_result(answered: ToolResult) -> CallToolResult:
    """The SDK's form of an answer; a fault's fields stand under a draft key too."""
    failed = answered.fault is not None
    return CallToolResult(
        content=[TextContent(type="text", text=answered.text)],
        structured_content=answered.data,
        is_error=failed,
        _meta={TOOL_FAILURE: answered.data} if failed else None,
    )


def _asked_to_stop(request: ServerRequestContext[Any, Any]) -> bool:
    """Whether a call that was cancelled was so by its client, and not by a connection that broke.

    Over HTTP in the revision of 2026 to close the response is how a client cancels.
    """
    if isinstance(request.request, HTTPConnection) and request.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return True
    return bool(request.session._request_outbound.cancel_requested.is_set())


def _annotations(offer: Tool) -> ToolAnnotations:
    if offer.effect == "read_only":
        return ToolAnnotations(read_only_hint=True, open_world_hint=offer.open_world)
    return ToolAnnotations(
        read_only_hint=False,
        destructive_hint=offer.effect == "destructive",
        idempotent_hint=offer.idempotent or None,
        open_world_hint=offer.open_world,
    )
