"""`notifications/tasks`: whoever listens for tasks is told each change of theirs, wherever their runs are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import anyio.abc
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import require_client_extension
from mcp.server.request_state import authenticated_principal
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import Notification, SubscriptionsAcknowledgedNotification

from container_kit.tools.protocol.tasks.handoff import TASKS
from container_kit.tools.protocol.tasks.task import ENDED, Tasks

_AT_ONCE = 32
"""Tasks that one stream can listen for; the acknowledgement says which are."""
_PAUSE = 0.25


class TaskListening:
    """Middleware around `subscriptions/listen`, which knows nothing of tasks by itself."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Add the tasks to a stream that asks for some."""
        wanted = _task_ids(ctx)
        if not wanted:
            return await call_next(ctx)
        require_client_extension(ctx, TASKS)
        principal = authenticated_principal(ctx)
        known = [task_id for task_id in wanted if await self._is_task(task_id, principal)]
        result: HandlerResult = None
        refusal: MCPError | None = None
        async with anyio.create_task_group() as group:

            def start(send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
                for task_id in known:
                    group.start_soon(self._tell, task_id, principal, send)

            try:
                result = await call_next(replace(ctx, session=_Session(ctx, known, start)))  # type: ignore[arg-type]
            except MCPError as error:  # it would come out of the group as a group of errors
                refusal = error
            group.cancel_scope.cancel()
        if refusal is not None:
            raise refusal
        return result

    async def _is_task(self, task_id: str, principal: str | None) -> bool:
        try:
            await self._tasks.brief(task_id, principal)
        except MCPError:
            return False
        return True

    async def _tell(
        self, task_id: str, principal: str | None, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        news = [anyio.Event()]
        async with anyio.create_task_group() as group:
            group.start_soon(self._hear, task_id, principal, news)
            last: dict[str, Any] = {}
            while last.get("status") not in ENDED:
                told, last = last, await self._tasks.whole(task_id, principal)
                if last != told:
                    await send(last)
                await anyio.sleep(_PAUSE)
                await news[0].wait()
                news[0] = anyio.Event()
            group.cancel_scope.cancel()

    async def _hear(self, task_id: str, principal: str | None, news: list[anyio.Event]) -> None:
        stored = self._tasks.runs.stored(task_id)
        async for _ in stored.events(task_id, principal):
            news[0].set()
        await stored.ended(task_id, principal)  # its last event is told a moment before it has ended
        news[0].set()


class _Session:
    """The request's session, which acknowledges the tasks too and starts to tell of them then."""

    def __init__(
        self,
        ctx: ServerRequestContext[Any, Any],
        task_ids: list[str],
        start: Callable[[Callable[[dict[str, Any]], Awaitable[None]]], None],
    ) -> None:
        self._ctx = ctx
        self._task_ids = task_ids
        self._start = start

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx.session, name)

    async def send_notification(self, notification: Any, related_request_id: Any = None) -> None:
        """Send one; the acknowledgement names the tasks."""
        if isinstance(notification, SubscriptionsAcknowledgedNotification):
            honoured = {**notification.params.notifications.model_dump(exclude_none=True), "taskIds": self._task_ids}
            filters = type(notification.params.notifications).model_validate(honoured)
            params = notification.params.model_copy(update={"notifications": filters})
            notification = notification.model_copy(update={"params": params})
        await self._ctx.session.send_notification(notification, related_request_id)
        if isinstance(notification, SubscriptionsAcknowledgedNotification):
            self._start(self._send)

    async def _send(self, task: dict[str, Any]) -> None:
        params = {**task, "_meta": {SUBSCRIPTION_ID_META_KEY: self._ctx.request_id}}
        notification: Any = Notification[dict[str, Any], str](method="notifications/tasks", params=params)
        await self._ctx.session.send_notification(notification, self._ctx.request_id)


def _task_ids(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    if ctx.method != "subscriptions/listen":
        return []
    wanted = (ctx.params or {}).get("notifications")
    ids = wanted.get("taskIds") if isinstance(wanted, dict) else None
    return list(dict.fromkeys(map(str, ids)))[:_AT_ONCE] if isinstance(ids, list) else []
