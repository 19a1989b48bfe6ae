"""`notifications/tasks`: changes of tasks for the clients that listen, whichever process executes the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import anyio.abc
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import Notification, SubscriptionsAcknowledgedNotification

from container_kit.tools.protocol.identity import current_principal
from container_kit.tools.protocol.tasks.handoff import TASKS
from container_kit.tools.protocol.tasks.task import FINAL, Tasks

_LIMIT = 32
"""Tasks of one stream. The acknowledgement names the accepted ones."""
_INTERVAL = 0.25

Send = Callable[[dict[str, Any]], Awaitable[None]]


class TaskNotifications:
    """Middleware that adds tasks to `subscriptions/listen`, since the SDK's own handler has no tasks."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Send notifications for the tasks that a stream names."""
        requested = _requested_tasks(ctx)
        if not requested:
            return await call_next(ctx)
        require_client_extension(ctx, TASKS)
        principal = current_principal()
        task_ids = [task_id for task_id in requested if await self._exists(task_id, principal)]
        result: HandlerResult = None
        rejection: MCPError | None = None
        async with anyio.create_task_group() as group:

            def start(send: Send) -> None:
                for task_id in task_ids:
                    group.start_soon(self._notify, task_id, principal, send)

            session: Any = _AcknowledgingSession(ctx, task_ids, start)
            try:
                result = await call_next(replace(ctx, session=session))
            except MCPError as error:  # the task group would wrap it in an exception group
                rejection = error
            group.cancel_scope.cancel()
        if rejection is not None:
            raise rejection
        return result

    async def _exists(self, task_id: str, principal: str | None) -> bool:
        try:
            await self._tasks.summary(task_id, principal)
        except MCPError:
            return False
        return True

    async def _notify(self, task_id: str, principal: str | None, send: Send) -> None:
        """Send a task whenever it has changed, until it is final."""
        changed = [anyio.Event()]
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, task_id, principal, changed)
            sent: dict[str, Any] = {}
            while sent.get("status") not in FINAL:
                task = await self._tasks.get(task_id, principal)
                if task != sent:
                    await send(task)
                sent = task
                await anyio.sleep(_INTERVAL)
                await changed[0].wait()
                changed[0] = anyio.Event()
            group.cancel_scope.cancel()

    async def _watch(self, task_id: str, principal: str | None, changed: list[anyio.Event]) -> None:
        async for _ in self._tasks.changes(task_id, principal):
            changed[0].set()


class _AcknowledgingSession:
    """The session of a request, which also acknowledges tasks and starts their notifications."""

    def __init__(self, ctx: ServerRequestContext[Any, Any], task_ids: list[str], start: Callable[[Send], None]) -> None:
        self._ctx = ctx
        self._task_ids = task_ids
        self._start = start

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx.session, name)

    async def send_notification(self, notification: Any, related_request_id: Any = None) -> None:
        """Send a notification, adding the tasks to the acknowledgement."""
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


def _requested_tasks(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    if ctx.method != "subscriptions/listen":
        return []
    filters = (ctx.params or {}).get("notifications")
    ids = filters.get("taskIds") if isinstance(filters, dict) else None
    return list(dict.fromkeys(map(str, ids)))[:_LIMIT] if isinstance(ids, list) else []
