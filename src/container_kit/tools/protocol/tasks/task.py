"""A stored run as a task."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import BaseModel

from container_kit.pipelines.request import RUN_UNKNOWN
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.config import TOLD_FOR
from container_kit.pipelines.runs.service import RunService
from container_kit.pipelines.runs.snapshot import RunView
from container_kit.stages.contract.fault import StageFailure
from container_kit.tools.pipeline_tool import RunHandler, told
from container_kit.tools.protocol.elicitation import input_requests
from container_kit.tools.protocol.tool_adapter import tool_result
from container_kit.tools.results.run_json import iso
from container_kit.tools.tool import Tool, ToolCall, ToolResult

TaskStatus = Literal["working", "input_required", "completed", "cancelled", "failed"]
ENDED: frozenset[TaskStatus] = frozenset({"completed", "cancelled", "failed"})

_POLL_MS = 1000


class Tasks:
    """Tasks, read from the runs.

    Args:
        offered: The tools whose calls they may be, by name.
    """

    def __init__(self, runs: RunService, offered: Mapping[str, Tool]) -> None:
        self.runs = runs
        self._offered = offered

    async def brief(self, task_id: str, principal: str | None) -> dict[str, Any]:
        """A task without its questions and its result.

        Raises:
            MCPError: There is no such task of this caller, or the store has a fault.
        """
        return _brief(await self._run(task_id, principal))

    async def whole(self, task_id: str, principal: str | None) -> dict[str, Any]:
        """A task with its questions, its result or its error.

        Raises:
            MCPError: There is no such task of this caller, or the store has a fault.
        """
        run = await self._run(task_id, principal)
        task = _brief(run)
        if task["status"] == "input_required":
            asked = input_requests(run).items()
            task["inputRequests"] = {key: _connection(request) for key, request in asked}
        elif task["status"] == "completed":
            task |= await self._end(run, principal)
        return task

    async def _run(self, task_id: str, principal: str | None) -> RunView:
        with translated():
            run = await self.runs.stored(task_id).summary(task_id, principal)
        if run.finished and run.updated + TOLD_FOR < time.time():
            raise unknown_task()
        return run

    async def _end(self, run: RunView, principal: str | None) -> dict[str, Any]:
        """What the call would have been answered with, had it waited."""
        stored = self.runs.stored(run.id)
        with translated():
            note = await stored.note(run.id, principal)
            response = await stored.ended(run.id, principal)
        offer = self._offered.get(str(note.get("tool")))
        if offer is None or not isinstance(offer.work, RunHandler):
            message = f"{run.pipeline} is not offered here; get-run tells how run {run.id} ended"
            return {"status": "failed", "error": {"code": INTERNAL_ERROR, "message": message}}
        arguments: Any = note.get("arguments") or {}
        call = ToolCall(offer, arguments, self.runs, self._offered, Caller(principal=principal))
        work = offer.work

        async def conclude() -> ToolResult:
            return work.conclude(call, response)

        result = _connection(tool_result(await told(call, conclude)))
        result.pop("resultType", None)  # the task's own says it
        return {"result": result}


@contextmanager
def translated() -> Iterator[None]:
    """Raise the runs' faults as the protocol's errors."""
    try:
        yield
    except StageFailure as failure:
        if failure.fault.code == RUN_UNKNOWN.code:
            raise unknown_task() from failure
        raise MCPError(INTERNAL_ERROR, f"{failure}. {failure.fault.hint}", {"code": failure.fault.code}) from failure


def unknown_task() -> MCPError:
    """The error of a task that is none, has expired, or is another caller's."""
    return MCPError(INVALID_PARAMS, "there is no such task, or it has expired")


def _brief(run: RunView) -> dict[str, Any]:
    task = {
        "taskId": run.id,
        "status": _status(run),
        "createdAt": iso(run.created),
        "lastUpdatedAt": iso(run.updated),
        "ttlMs": int(TOLD_FOR * 1000),
        "pollIntervalMs": _POLL_MS,
    }
    line = _line(run)
    return {**task, "statusMessage": line} if line else task


def _status(run: RunView) -> TaskStatus:
    if run.status == "waiting":
        return "input_required"
    if not run.finished:
        return "working"
    return "cancelled" if run.status == "cancelled" else "completed"


def _line(run: RunView) -> str:
    """One line on how the run stands."""
    if run.status == "queued":
        return f"{run.pipeline}: waits for its turn"
    if run.questions:
        return "; ".join(run.questions.values())
    if run.finished or run.stage is None or run.message.startswith(run.stage + " "):
        return run.message
    return f"{run.stage}: {run.message if run.message not in ('', run.stage) else 'started'}"


def _connection(value: BaseModel) -> dict[str, Any]:
    return value.model_dump(by_alias=True, mode="json", exclude_none=True)
