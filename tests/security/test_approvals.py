"""Only the connection that started a run can answer its questions; a read-only server answers none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

from support.mcp.servers import SERVE, environment
from support.mcp.tasks import TaskClient, ask, call, run_of, until
from support.pipelines.approving import approving

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(120)]

ACCEPT = {"consent": {"action": "accept", "content": {"confirm": True}}}


async def _nobody(_context: Any, _params: Any) -> ElicitResult:
    raise AssertionError("the questions of a task come with the task")


@contextlib.asynccontextmanager
async def server(folder: Path, *options: str) -> AsyncIterator[Client]:
    variables = environment(folder, **approving(folder))
    parameters = StdioServerParameters(command=sys.executable, args=[*SERVE, *options], cwd=folder, env=variables)
    async with Client(stdio_client(parameters), extensions=[TaskClient()], elicitation_callback=_nobody) as client:
        yield client


async def waiting_task(client: Client, folder: Path) -> str:
    task = await call(client, "launch", {"file": str(folder / "launched")})
    assert isinstance(task, dict), task
    await until(client, task["taskId"], ["input_required"])
    return str(task["taskId"])


@pytest.mark.parametrize("options", [(), ("--read-only",)])
async def test_another_server_of_the_same_user_gives_no_consent(options: tuple[str, ...], tmp_path: Path) -> None:
    async with server(tmp_path) as asked, server(tmp_path, *options) as other:
        task_id = await waiting_task(asked, tmp_path)
        [listed] = (await other.call_tool("list-runs", {})).structured_content["runs"]  # type: ignore[index]
        run = run_of(task_id)
        assert listed["id"] == run
        for guess in (run, f"{run}.", f"{run}.{'A' * 32}", f".{run}", f"{run}.consent"):
            for method, said in (("tasks/get", None), ("tasks/update", ACCEPT), ("tasks/cancel", None)):
                with pytest.raises(MCPError):
                    await ask(other, method, guess, said)
        assert (await ask(asked, "tasks/get", task_id))["status"] == "input_required"
        assert not (tmp_path / "launched").exists()
        await ask(asked, "tasks/update", task_id, ACCEPT)
        assert (await until(asked, task_id))["status"] == "completed"
    assert (tmp_path / "launched").exists()


async def test_a_read_only_server_answers_and_cancels_nothing_even_with_the_task(tmp_path: Path) -> None:
    async with server(tmp_path) as asked, server(tmp_path, "--read-only") as other:
        task_id = await waiting_task(asked, tmp_path)
        for method, said in (("tasks/update", ACCEPT), ("tasks/cancel", None)):
            with pytest.raises(MCPError, match="read-only"):
                await ask(other, method, task_id, said)
        assert (await ask(asked, "tasks/get", task_id))["status"] == "input_required"
        await ask(asked, "tasks/cancel", task_id)
        assert (await until(asked, task_id))["status"] == "cancelled"


async def test_a_restarted_client_with_its_task_can_still_answer(tmp_path: Path) -> None:
    async with server(tmp_path) as asked:
        task_id = await waiting_task(asked, tmp_path)
        async with server(tmp_path) as restarted:
            await ask(restarted, "tasks/update", task_id, ACCEPT)
            assert (await until(restarted, task_id))["status"] == "completed"


async def test_no_result_or_log_of_a_run_contains_the_key(tmp_path: Path) -> None:
    async with server(tmp_path) as asked:
        task_id = await waiting_task(asked, tmp_path)
        key = task_id.partition(".")[2]
        run = run_of(task_id)
        shown = [
            await asked.call_tool("get-run", {"run": run, "stage": "launch"}),
            await asked.call_tool("list-runs", {}),
            await asked.read_resource(f"run://{run}"),
        ]
        await ask(asked, "tasks/cancel", task_id)
        await until(asked, task_id)
    assert not any(key in answer.model_dump_json() for answer in shown)
    assert not any(key.encode() in file.read_bytes() for file in (tmp_path / ".home").rglob("*") if file.is_file())
