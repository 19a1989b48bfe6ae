"""The Apps extension: clients that can show a page get the live run view with each tool that starts or shows a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, ResourceBinding
from mcp.server.mcpserver.resources import FunctionResource

from container_kit.tools.tool import Tool

RUN_VIEW = "ui://container-kit/run.html"
"""The address of the page."""
FOR_VIEWS: dict[str, Any] = {"ui": {"resourceUri": RUN_VIEW, "visibility": ["app"]}}
"""The mark of a tool that views call and assistants do not see."""
WITH_VIEW: dict[str, Any] = {"ui": {"resourceUri": RUN_VIEW}}
"""The mark of a tool whose calls are shown in the view."""


class RunViewExtension(Extension):
    """Announces the extension and brings the page, which asks for no origin and no permission."""

    identifier = "io.modelcontextprotocol/ui"

    def resources(self) -> Sequence[ResourceBinding]:
        """The page."""
        nowhere: dict[str, list[str]] = {"connectDomains": [], "resourceDomains": [], "frameDomains": []}
        page = FunctionResource(
            uri=RUN_VIEW,
            name="run-view",
            title="Live run view",
            description="A run as a graph, live: stages, logs, the fault and what to do next",
            mime_type="text/html;profile=mcp-app",
            meta={"ui": {"csp": nowhere, "prefersBorder": True}},
            fn=_page,
        )
        return (ResourceBinding(page),)


async def _page() -> str:
    from container_kit.tools.run_view.page import page  # read when somebody asks for it

    return await anyio.to_thread.run_sync(page)


def shows_a_run(offer: Tool) -> bool:
    """Whether a tool's answer is about one run."""
    return bool({"run", "id"} & set(offer.output.get("required", ())))


async def hide_from_others(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Middleware: a client that cannot show views hears nothing of them, so that no assistant pays for the words."""
    result = await call_next(ctx)
    if ctx.method != "tools/list" or not isinstance(result, dict):
        return result
    from mcp.server.apps import client_supports_apps  # no server need wait for it at its start

    if client_supports_apps(ctx):
        return result
    return {**result, "tools": [_without_view(tool) for tool in result["tools"] if tool.get("_meta") != FOR_VIEWS]}


def _without_view(tool: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in tool.get("_meta", {}).items() if key != "ui"}
    rest = {key: value for key, value in tool.items() if key != "_meta"}
    return rest | ({"_meta": meta} if meta else {})
