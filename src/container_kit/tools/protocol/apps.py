"""The Apps extension: clients that can display a page show the live run view with every tool that concerns one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio.to_thread
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, ResourceBinding
from mcp.server.mcpserver.resources import FunctionResource

from container_kit.tools.tool import Tool

RUN_VIEW_URI = "ui://container-kit/run.html"
VIEW_ONLY: dict[str, Any] = {"ui": {"resourceUri": RUN_VIEW_URI, "visibility": ["app"]}}
"""The metadata of a tool that only views call. Models do not see it."""
WITH_VIEW: dict[str, Any] = {"ui": {"resourceUri": RUN_VIEW_URI}}
"""The metadata of a tool whose calls are shown in the view."""


class RunViewExtension(Extension):
    """Announces the extension and serves the page, which needs no origin and no permission."""

    identifier = "io.modelcontextprotocol/ui"

    def resources(self) -> Sequence[ResourceBinding]:
        """Return the page."""
        no_domains: dict[str, list[str]] = {"connectDomains": [], "resourceDomains": [], "frameDomains": []}
        page = FunctionResource(
            uri=RUN_VIEW_URI,
            name="run-view",
            title="Live run view",
            description="A live graph of a run: stages, logs, the fault and the next actions",
            mime_type="text/html;profile=mcp-app",
            meta={"ui": {"csp": no_domains, "prefersBorder": True}},
            fn=_read_page,
        )
        return (ResourceBinding(page),)


async def _read_page() -> str:
    from container_kit.tools.run_view.page import page  # most clients never read it

    return await anyio.to_thread.run_sync(page)


def shows_run(tool: Tool) -> bool:
    """Return whether the result of a tool is about one run."""
    return bool({"run", "id"} & set(tool.output.get("required", ())))


async def hide_view(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Remove the view from tool lists of clients that cannot display it, to save context. This is a middleware."""
    result = await call_next(ctx)
    if ctx.method != "tools/list" or not isinstance(result, dict):
        return result
    from mcp.server.apps import client_supports_apps  # imported late, to keep the start fast

    if client_supports_apps(ctx):
        return result
    return {**result, "tools": [_without_view(tool) for tool in result["tools"] if tool.get("_meta") != VIEW_ONLY]}


def _without_view(tool: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in tool.get("_meta", {}).items() if key != "ui"}
    rest = {key: value for key, value in tool.items() if key != "_meta"}
    return rest | ({"_meta": meta} if meta else {})
