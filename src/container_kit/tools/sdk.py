"""The seam to the MCP SDK: an offer as an SDK tool, an answer as a tool result."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.server.request_state import authenticated_principal
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import PrivateAttr
from starlette.requests import HTTPConnection

from container_kit.tools.offer import Answer, Call, Offer
from container_kit.tools.pipeline_tool import answer
from container_kit.tools.progress import feeding
from container_kit.tools.runs import Runs
from container_kit.tools.schema import input_schema

TOOL_FAILURE = "io.modelcontextprotocol/toolFailure"
"""The draft key under which a client finds a failure's fields."""


class OfferedTool(Tool):
    """An SDK tool whose arguments are checked by us, so that bad ones are faults too and no value is repeated."""

    _call: Call = PrivateAttr()

    def complete(self) -> None:
        """Make the schema of the arguments, which takes a while and only a list of tools needs."""
        self.parameters = self.parameters or input_schema(self._call.offer.input)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult:
        """Carry out a call, with progress for a client that asked for it."""
        request = context.request_context
        async with feeding(request.session.report_progress) as feed:
            call = Call(
                offer=self._call.offer,
                arguments=arguments,
                runs=self._call.runs,
                offered=self._call.offered,
                caller=authenticated_principal(request),
                on_event=feed,
                stops_run=partial(_asked_to_stop, request),
            )
            answered = await answer(call)
        return tool_result(answered)


def sdk_tool(offer: Offer, runs: Runs, offered: Mapping[str, Offer]) -> OfferedTool:
    """The SDK's form of an offer, to be completed before it is listed."""
    tool = OfferedTool(
        fn=offer.work,
        name=offer.name,
        title=offer.title,
        description=offer.description,
        parameters={},
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=dict(offer.output)),
        is_async=True,
        annotations=_annotations(offer),
    )
    tool._call = Call(offer=offer, arguments={}, runs=runs, offered=offered)
    return tool


def tool_result(answered: Answer) -> CallToolResult:
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


def _annotations(offer: Offer) -> ToolAnnotations:
    if offer.effect == "reads":
        return ToolAnnotations(read_only_hint=True, open_world_hint=offer.open_world)
    return ToolAnnotations(
        read_only_hint=False,
        destructive_hint=offer.effect == "replaces",
        idempotent_hint=offer.idempotent or None,
        open_world_hint=offer.open_world,
    )
