"""The server: the offered tools on the SDK's MCPServer. No transport is known here."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings

from container_kit.tools.offer import Offer
from container_kit.tools.offered import instructions
from container_kit.tools.resources import add_prompts, add_resources
from container_kit.tools.runs import Runs
from container_kit.tools.sdk import sdk_tool


def make_server(
    runs: Runs, offers: Iterable[Offer], *, auth: AuthSettings | None = None, tokens: TokenVerifier | None = None
) -> MCPServer:
    """Make a server that offers these tools.

    Args:
        auth: With `tokens`, what is asked of callers over HTTP; None lets everybody call.
        tokens: Checks the callers' tokens.
    """
    offered = {offer.name: offer for offer in offers}
    server = MCPServer(
        "container-kit",
        title="Container Kit",
        version=version("container-kit"),
        instructions=instructions(offered),
        tools=[sdk_tool(offer, runs, offered) for offer in offered.values()],
        log_level="WARNING",
        auth=auth,
        token_verifier=tokens,
    )
    add_resources(server, runs, offered)
    add_prompts(server, offered)
    return server
