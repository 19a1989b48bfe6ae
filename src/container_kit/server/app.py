"""The server: the offered tools on the SDK's MCPServer. No transport is known here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver.tools import Tool as McpTool
from mcp.server.request_state import RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp_types import Tool as ListedTool

from container_kit.pipelines.runs.service import RunService
from container_kit.tools.protocol.apps import FOR_VIEWS, WITH_VIEW, RunViewExtension, hide_from_others, shows_a_run
from container_kit.tools.protocol.completions import add_completions
from container_kit.tools.protocol.resources import add_prompts, add_resources
from container_kit.tools.protocol.subscriptions import RunUpdates, living
from container_kit.tools.protocol.tasks.extension import TasksExtension
from container_kit.tools.protocol.tasks.notifications import TaskListening
from container_kit.tools.protocol.tasks.task import Tasks
from container_kit.tools.protocol.tool_adapter import SdkTool, sdk_tool
from container_kit.tools.registry import instructions
from container_kit.tools.run_view.watch_run import WATCH_RUN
from container_kit.tools.tool import Tool


class Server(MCPServer):
    """The SDK's server; schemas are made when the tools are first listed.

    Args:
        offered: The tools.
        options: Of the SDK's server.
    """

    def __init__(self, name: str, offered: list[SdkTool], **options: Any) -> None:
        super().__init__(name, tools=list[McpTool](offered), **options)
        self._offered = offered

    async def list_tools(self) -> list[ListedTool]:
        """What `tools/list` answers."""
        for tool in self._offered:
            tool.complete()
        return await super().list_tools()


def make_server(
    runs: RunService,
    offers: Iterable[Tool],
    *,
    auth: AuthSettings | None = None,
    tokens: TokenVerifier | None = None,
    request_state_keys: Sequence[str] = (),
) -> MCPServer:
    """Make a server that offers these tools.

    Args:
        auth: With `tokens`, what is asked of callers over HTTP; None lets everybody call.
        tokens: Checks the callers' tokens.
        state_keys: Shared by servers behind one address; the first seals what a client brings back with an answer.
    """
    offered = {offer.name: offer for offer in offers}
    tasks = Tasks(runs, offered)
    bus = InMemorySubscriptionBus()
    updates = RunUpdates(runs, bus)
    server = Server(
        "container-kit",
        [
            *(sdk_tool(offer, runs, offered, WITH_VIEW if shows_a_run(offer) else None) for offer in offered.values()),
            sdk_tool(WATCH_RUN, runs, offered, FOR_VIEWS),
        ],
        title="Container Kit",
        version=version("container-kit"),
        instructions=instructions(offered),
        extensions=[TasksExtension(tasks), RunViewExtension()],
        middleware=[TaskListening(tasks), updates, hide_from_others],
        subscriptions=bus,
        lifespan=living,
        request_state_security=RequestStateSecurity(keys=request_state_keys) if request_state_keys else None,
        log_level="WARNING",
        auth=auth,
        token_verifier=tokens,
    )
    updates.add_to(server)
    add_resources(server, runs)
    add_completions(server, runs, offered)
    add_prompts(server, offered)
    return server
