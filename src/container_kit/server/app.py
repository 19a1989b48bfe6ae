"""The server: the offered tools on the SDK's MCPServer. No transport is known here."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from mcp.server import MCPServer

from container_kit.tools.offer import Offer
from container_kit.tools.offered import instructions
from container_kit.tools.runs import Runs
from container_kit.tools.sdk import sdk_tool


def make_server(runs: Runs, offers: Iterable[Offer]) -> MCPServer:
    """Make a server that offers these tools."""
    offered = {offer.name: offer for offer in offers}
    return MCPServer(
        "container-kit",
        title="Container Kit",
        version=version("container-kit"),
        instructions=instructions(offered),
        tools=[sdk_tool(offer, runs, offered) for offer in offered.values()],
        log_level="WARNING",
    )
