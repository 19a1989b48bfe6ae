"""The client side of the tasks extension."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Literal

import anyio
from mcp.client import Client
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict

from container_kit.tools.protocol.tasks.handoff import TASKS

ENDED = ("completed", "cancelled", "failed")


class Task(Result):
    """A task, with its fields by their names on the wire."""

    model_config = ConfigDict(extra="allow")


class Created(Result):
    model_config = ConfigDict(extra="allow")

    result_type: Literal["task"] = "task"


class _Params(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class _TaskRequest(Request[_Params, str]):
    name_param: ClassVar[str | None] = "taskId"

    method: str
    params: _Params


class _Listen(Request[dict[str, Any], str]):
    method: str = "subscriptions/listen"
    params: dict[str, Any]


class TaskClient(ClientExtension):
    """Declares the extension; `call` returns a created task."""

    identifier = TASKS

    def __init__(self, heard: Callable[[Task], Awaitable[None]] | None = None) -> None:
        self._heard = heard

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        if self._heard is None:
            return []
        return [NotificationBinding(method="notifications/tasks", params_type=Task, handler=self._heard)]

    async def _resolve(self, created: Created, context: ClaimContext) -> CallToolResult:
        task = await _until(context.session, created.model_extra["taskId"], ENDED)  # type: ignore[index]
        return CallToolResult.model_validate(task["result"])


async def call(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | CallToolResult:
    """Call a tool; return its task or its result."""
    result: Any = await client.session.call_tool(tool, arguments, allow_claimed=True)
    return dict(result.model_extra) if isinstance(result, Created) else result


async def ask(client: Client, method: str, task_id: str, said: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send `tasks/get`, `tasks/update` or `tasks/cancel`."""
    return await _ask(client.session, method, task_id, said)


async def until(client: Client, task_id: str, statuses: Sequence[str] = ENDED) -> dict[str, Any]:
    """Wait until a task has one of these statuses or a final one, and return it."""
    return await _until(client.session, task_id, statuses)


async def listen(client: Client, task_ids: Sequence[str]) -> None:
    """Listen for tasks until cancelled."""
    params = {"notifications": {"taskIds": list(task_ids)}}
    await client.session.send_request(_Listen(params=params), Task)


def run_of(task_id: str) -> str:
    """Return the run of a task."""
    return task_id.partition(".")[0]


async def _ask(session: Any, method: str, task_id: str, said: dict[str, Any] | None = None) -> dict[str, Any]:
    request = _TaskRequest(method=method, params=_Params(task_id=task_id, input_responses=said))
    answer: Task = await session.send_request(request, Task)
    return dict(answer.model_extra or {})


async def _until(session: Any, task_id: str, statuses: Sequence[str]) -> dict[str, Any]:
    with anyio.fail_after(100):
        while True:
            task = await _ask(session, "tasks/get", task_id)
            if task["status"] in (*statuses, *ENDED):
                return task
            await anyio.sleep(0.05)
