"""The MCP server with its tools, resources and extensions, independent of the transport."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool as McpTool
from mcp.server.request_state import RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import CallToolResult, InputRequiredResult
from mcp_types import Tool as ListedTool

from container_kit.pipelines.runs.service import RunService
from container_kit.tools.protocol.apps import VIEW_ONLY, WITH_VIEW, RunViewExtension, hide_view, shows_run
from container_kit.tools.protocol.completions import add_completions
from container_kit.tools.protocol.identity import current_role
from container_kit.tools.protocol.resources import add_prompts, add_resources
from container_kit.tools.protocol.subscriptions import RunUpdates, server_lifespan
from container_kit.tools.protocol.tasks.extension import TasksExtension
from container_kit.tools.protocol.tasks.notifications import TaskNotifications
from container_kit.tools.protocol.tasks.task import Tasks
from container_kit.tools.protocol.tool_adapter import SdkTool, call_tool_result
from container_kit.tools.registry import instructions
from container_kit.tools.results.unknown_tool import unknown_tool
from container_kit.tools.run_view.watch_run import WATCH_RUN
from container_kit.tools.tool import Tool


class Server(MCPServer):
    """The SDK's server. The schemas of the arguments are built when the tools are first listed."""

    def __init__(self, name: str, tools: list[SdkTool], **options: Any) -> None:
        super().__init__(name, tools=list[McpTool](tools), **options)
        self._tools = tools

    async def list_tools(self) -> list[ListedTool]:
        """Return the tools for `tools/list`. A viewer gets only those that it may call."""
        for tool in self._tools:
            tool.build_schema()
        listed = await super().list_tools()
        if current_role() != "viewer":
            return listed
        return [tool for tool in listed if tool.annotations is not None and tool.annotations.read_only_hint]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool. The call of a tool that the server does not have ends with a structured fault."""
        tools = {tool.name: tool.definition for tool in self._tools}
        if name not in tools:
            return call_tool_result(unknown_tool(name, arguments, tools))
        return await super().call_tool(name, arguments, context)


def make_server(
    runs: RunService,
    tools: Iterable[Tool],
    *,
    auth: AuthSettings | None = None,
    token_verifier: TokenVerifier | None = None,
    request_state_keys: Sequence[str] = (),
) -> MCPServer:
    """Return a server with these tools.

    Args:
        auth: The authentication over HTTP, together with `token_verifier`; None means none.
        request_state_keys: Keys that protect request state. Servers behind one address share them.
    """
    by_name = {tool.name: tool for tool in tools}
    tasks = Tasks(runs, by_name)
    bus = InMemorySubscriptionBus()
    updates = RunUpdates(runs, bus)
    server = Server(
        "container-kit",
        [
            *(SdkTool.of(tool, runs, by_name, WITH_VIEW if shows_run(tool) else None) for tool in by_name.values()),
            SdkTool.of(WATCH_RUN, runs, by_name, VIEW_ONLY),
        ],
        title="Container Kit",
        version=version("container-kit"),
        instructions=instructions(by_name),
        extensions=[TasksExtension(tasks), RunViewExtension()],
        middleware=[TaskNotifications(tasks), updates, hide_view],
        subscriptions=bus,
        lifespan=server_lifespan,
        request_state_security=RequestStateSecurity(keys=request_state_keys) if request_state_keys else None,
        log_level="WARNING",
        auth=auth,
        token_verifier=token_verifier,
    )
    updates.add_to(server)
    add_resources(server, runs, by_name)
    add_completions(server, runs, by_name)
    add_prompts(server, by_name)
    return server
