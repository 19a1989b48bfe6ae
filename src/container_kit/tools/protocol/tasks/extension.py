"""The methods of the extension: long calls return tasks, and clients read, answer and cancel tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import decode_header_value
from mcp_types import HEADER_MISMATCH, CallToolRequestParams, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from container_kit.tools.protocol.identity import current_principal
from container_kit.tools.protocol.tasks.handoff import TASKS, with_handoff
from container_kit.tools.protocol.tasks.task import Tasks

_VERSIONS = frozenset(MODERN_PROTOCOL_VERSIONS)


class TaskParams(RequestParams):
    """The parameters of `tasks/get` and `tasks/cancel`."""

    task_id: str


class UpdateParams(TaskParams):
    """The parameters of `tasks/update`."""

    input_responses: dict[str, Any]


class TasksExtension(Extension):
    """Offers tasks to the clients that declare the extension."""

    identifier = TASKS

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def methods(self) -> Sequence[MethodBinding]:
        """Return the methods of the extension."""
        return (
            MethodBinding("tasks/get", TaskParams, self._get, _VERSIONS),
            MethodBinding("tasks/update", UpdateParams, self._update, _VERSIONS),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, _VERSIONS),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Return a task if the run of the call continues."""
        if ctx.protocol_version not in _VERSIONS or not _supports_tasks(ctx):
            return await call_next(ctx)
        context = with_handoff(ctx)
        result = await call_next(context)
        if context.handoff.task_id is None:
            return result
        task = await self._tasks.summary(context.handoff.task_id, current_principal())
        return {"resultType": "task", **task}

    async def _get(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> dict[str, Any]:
        _check_request(ctx, params)
        return await self._tasks.get(params.task_id, current_principal())

    async def _update(self, ctx: ServerRequestContext[Any, Any], params: UpdateParams) -> dict[str, Any]:
        _check_request(ctx, params)
        await self._tasks.answer(params.task_id, current_principal(), params.input_responses)
        return {}

    async def _cancel(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> dict[str, Any]:
        _check_request(ctx, params)
        await self._tasks.cancel(params.task_id, current_principal())
        return {}


def _supports_tasks(ctx: ServerRequestContext[Any, Any]) -> bool:
    capabilities = ctx.session.client_capabilities
    return bool(capabilities and capabilities.extensions and TASKS in capabilities.extensions)


def _check_request(ctx: ServerRequestContext[Any, Any], params: TaskParams) -> None:
    """Reject a request whose routing header names another task, or whose client does not declare the extension."""
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get("mcp-name")) != params.task_id:
        raise MCPError(HEADER_MISMATCH, "the header Mcp-Name does not match the task of the request")
    require_client_extension(ctx, TASKS)
