"""A stored run as a task.

The id of a task includes the key of the run's questions, so only the client whose call created the task can use it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST
from pydantic import BaseModel

from container_kit.pipelines.durable.config import RESULT_TTL
from container_kit.pipelines.request import RUN_NOT_FOUND
from container_kit.pipelines.run_info import RunInfo
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import StageFailure
from container_kit.tools.pipeline_tool import RunHandler, faults_as_results
from container_kit.tools.protocol.elicitation import input_requests, parse_decision, split_key
from container_kit.tools.protocol.identity import current_role
from container_kit.tools.protocol.tool_adapter import call_tool_result
from container_kit.tools.results.run_json import iso_time
from container_kit.tools.tool import Tool, ToolCall, ToolResult

TaskStatus = Literal["working", "input_required", "completed", "cancelled", "failed"]
FINAL: frozenset[TaskStatus] = frozenset({"completed", "cancelled", "failed"})

_POLL_MS = 1000


class Tasks:
    """Reads tasks from the stored runs.

    Args:
        tools: The tools of the server, by name.
    """

    def __init__(self, runs: RunService, tools: Mapping[str, Tool]) -> None:
        self._runs = runs
        self._tools = tools

    async def summary(self, task_id: str, principal: str | None) -> dict[str, Any]:
        """Return a task without its questions and its result.

        Raises:
            MCPError: The principal has no such task, or the store failed.
        """
        return _summary(await self._run(task_id, principal), task_id)

    async def get(self, task_id: str, principal: str | None) -> dict[str, Any]:
        """Return a task with its questions, its result or its error.

        Raises:
            MCPError: The principal has no such task, or the store failed.
        """
        run = await self._run(task_id, principal)
        task = _summary(run, task_id)
        if task["status"] == "input_required":
            task["inputRequests"] = {key: _dump(request) for key, request in input_requests(run).items()}
        elif task["status"] == "completed":
            task |= await self._result(run, principal)
        return task

    async def answer(self, task_id: str, principal: str | None, answers: Mapping[str, Any]) -> None:
        """Answer questions of a task. An answer that does not fit the form leaves its question open.

        Raises:
            MCPError: The principal has no such task, the server changes nothing, or the store failed.
        """
        run = await self._changeable(task_id, principal)
        _, approval_key = split_key(task_id)
        with protocol_errors():
            for approval, response in answers.items():
                decision = parse_decision(response)
                if approval in run.questions and decision is not None:
                    stored = self._runs.stored(run.id)
                    await stored.resolve_approval(run.id, principal, approval_key, approval, decision)

    async def cancel(self, task_id: str, principal: str | None) -> None:
        """Cancel a task.

        Raises:
            MCPError: As `answer`.
        """
        run = await self._changeable(task_id, principal)
        with protocol_errors():
            await self._runs.stored(run.id).cancel(run.id, principal)

    async def changes(self, task_id: str, principal: str | None) -> AsyncIterator[None]:
        """Yield whenever a task has changed, until it is final.

        Raises:
            MCPError: The principal has no such task, or the store failed.
        """
        run = await self._run(task_id, principal)
        stored = self._runs.stored(run.id)
        async for _ in stored.events(run.id, principal):
            yield
        await stored.wait(run.id, principal)  # the last event is emitted just before the run is final
        yield

    async def _changeable(self, task_id: str, principal: str | None) -> RunInfo:
        if all(tool.effect == "read_only" for tool in self._tools.values()):
            raise MCPError(INVALID_REQUEST, "this server is read-only: it answers no questions and cancels nothing")
        if current_role() == "viewer":
            raise MCPError(INVALID_REQUEST, "the role viewer answers no questions and cancels nothing")
        return await self._run(task_id, principal)

    async def _run(self, task_id: str, principal: str | None) -> RunInfo:
        run_id, approval_key = split_key(task_id)
        with protocol_errors():
            run = await self._runs.stored(run_id).with_key(run_id, principal, approval_key)
        if run.finished and run.updated + RESULT_TTL < time.time():
            raise _task_not_found()
        return run

    async def _result(self, run: RunInfo, principal: str | None) -> dict[str, Any]:
        """Return the result that the call would have had without the task."""
        stored = self._runs.stored(run.id)
        with protocol_errors():
            metadata = await stored.metadata(run.id, principal)
            response = await stored.wait(run.id, principal)
        tool = self._tools.get(str(metadata.get("tool")))
        if tool is None or not isinstance(tool.handler, RunHandler):
            message = f"this server has no tool for {run.pipeline}; get-run shows how run {run.id} ended"
            return {"status": "failed", "error": {"code": INTERNAL_ERROR, "message": message}}
        arguments: Any = metadata.get("arguments") or {}
        call = ToolCall(tool, arguments, self._runs, self._tools, Caller(principal=principal))
        handler = tool.handler

        async def to_result() -> ToolResult:
            return handler.to_result(call, response)

        result = _dump(call_tool_result(await faults_as_results(call, to_result)))
        result.pop("resultType", None)  # the task has its own
        return {"result": result}


@contextmanager
def protocol_errors() -> Iterator[None]:
    """Raise failures as errors of the protocol."""
    try:
        yield
    except StageFailure as failure:
        if failure.fault.code == RUN_NOT_FOUND.code:
            raise _task_not_found() from failure
        raise MCPError(INTERNAL_ERROR, f"{failure}. {failure.fault.hint}", {"code": failure.fault.code}) from failure


def _task_not_found() -> MCPError:
    """Return one error for tasks that do not exist, have expired, or belong to another principal."""
    return MCPError(INVALID_PARAMS, "there is no such task, or it has expired")


def _summary(run: RunInfo, task_id: str) -> dict[str, Any]:
    task = {
        "taskId": task_id,
        "status": _status(run),
        "createdAt": iso_time(run.created),
        "lastUpdatedAt": iso_time(run.updated),
        "ttlMs": int(RESULT_TTL * 1000),
        "pollIntervalMs": _POLL_MS,
    }
    message = _status_message(run)
    return {**task, "statusMessage": message} if message else task


def _status(run: RunInfo) -> TaskStatus:
    if run.status == "awaiting_approval":
        return "input_required"
    if not run.finished:
        return "working"
    return "cancelled" if run.status == "cancelled" else "completed"


def _status_message(run: RunInfo) -> str:
    if run.status == "queued":
        return f"{run.pipeline}: queued"
    if run.questions:
        return "; ".join(run.questions.values())
    if run.finished or run.stage is None or run.message.startswith(run.stage + " "):
        return run.message
    return f"{run.stage}: {run.message if run.message not in ('', run.stage) else 'started'}"


def _dump(value: BaseModel) -> dict[str, Any]:
    return value.model_dump(by_alias=True, mode="json", exclude_none=True)
