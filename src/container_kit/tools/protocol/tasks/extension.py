"""The extension: long calls are answered with tasks, and tasks are asked about, answered and cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.server.request_state import authenticated_principal
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import decode_header_value
from mcp_types import HEADER_MISMATCH, CallToolRequestParams, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from container_kit.tools.protocol.elicitation import answer_of
from container_kit.tools.protocol.tasks.handoff import TASKS, with_handing
from container_kit.tools.protocol.tasks.task import Tasks, translated

_VERSIONS = frozenset(MODERN_PROTOCOL_VERSIONS)


class TaskParams(RequestParams):
    """Which task."""

    task_id: str


class UpdateParams(TaskParams):
    """What was said to a task's questions, by their keys."""

    input_responses: dict[str, Any]


class TasksExtension(Extension):
    """Offers tasks to the clients that declare the extension."""

    identifier = TASKS

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def methods(self) -> Sequence[MethodBinding]:
        """The methods about tasks."""
        return (
            MethodBinding("tasks/get", TaskParams, self._get, _VERSIONS),
            MethodBinding("tasks/update", UpdateParams, self._update, _VERSIONS),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, _VERSIONS),
        )

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Answer with a task where the call's run goes on."""
        if ctx.protocol_version not in _VERSIONS or not _declared(ctx):
            return await call_next(ctx)
        context = with_handing(ctx)
        result = await call_next(context)
        if context.handing.run_id is None:
            return result
        task = await self._tasks.brief(context.handing.run_id, authenticated_principal(ctx))
        return {"resultType": "task", **task}

    async def _get(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> dict[str, Any]:
        _check(ctx, params)
        return await self._tasks.whole(params.task_id, authenticated_principal(ctx))

    async def _update(self, ctx: ServerRequestContext[Any, Any], params: UpdateParams) -> dict[str, Any]:
        _check(ctx, params)
        principal = authenticated_principal(ctx)
        stored = self._tasks.runs.stored
        with translated():
            run = await stored(params.task_id).summary(params.task_id, principal)
            for approval, said in params.input_responses.items():
                answer = answer_of(said)
                if approval in run.questions and answer is not None:  # anything else is left unanswered
                    await stored(run.id).answer(run.id, principal, approval, answer)
        return {}

    async def _cancel(self, ctx: ServerRequestContext[Any, Any], params: TaskParams) -> dict[str, Any]:
        _check(ctx, params)
        with translated():
            await self._tasks.runs.stored(params.task_id).cancel(params.task_id, authenticated_principal(ctx))
        return {}


def _declared(ctx: ServerRequestContext[Any, Any]) -> bool:
    capabilities = ctx.session.client_capabilities
    return bool(capabilities and capabilities.extensions and TASKS in capabilities.extensions)


def _check(ctx: ServerRequestContext[Any, Any], params: TaskParams) -> None:
    """Refuse a request whose routing header names another task, or whose client does not know tasks."""
    headers = getattr(ctx.request, "headers", None)
    if headers is not None and decode_header_value(headers.get("mcp-name")) != params.task_id:
        raise MCPError(HEADER_MISMATCH, "the header Mcp-Name does not name the task of the request")
    require_client_extension(ctx, TASKS)
