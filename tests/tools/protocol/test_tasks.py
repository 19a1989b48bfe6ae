"""Tasks on a real store: long calls, questions, cancellation, notifications and access."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from container_kit import Artifact, AtomicPipeline, FaultCode, Pipeline, Stage, StageContext, Workspace
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.runs.service import RunService
from container_kit.server.app import make_server
from container_kit.tools.custom import custom_tool, pipeline_finder
from container_kit.tools.protocol.tasks.task import Tasks
from support.mcp.tasks import Task, TaskClient, ask, call, listen, run_of, until
from support.mcp.tools import toolset

pytestmark = pytest.mark.anyio

LEAKS = FaultCode("boat.leaks", means="The boat leaks.", hint="Caulk it.")


class Order(Artifact):
    name: str = "ark"
    leaks: bool = False


class Boat(Artifact):
    name: str


class Yard:
    """Builds boats when the test allows it."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.go = anyio.Event()
        self.built = 0


def pipelines(yard: Yard) -> list[Pipeline]:
    class Build(Stage[Boat]):
        async def execute(self, ctx: StageContext, order: Order) -> Boat:
            ctx.progress("planking", 0.5)
            yard.begun.set()
            await yard.go.wait()
            if order.leaks:
                raise LEAKS(f"{order.name} leaks")
            yard.built += 1
            return Boat(name=order.name)

    class Launch(Build):
        pass

    launch = AtomicPipeline("launch", inputs=Order).add_approval("launch", lambda made: f"Launch {made[Order].name}?")
    return [AtomicPipeline("build-boat", inputs=Order).add_stage(Build()), launch.add_stage(Launch())]


@pytest.fixture
def yard() -> Yard:
    return Yard()


@pytest.fixture
async def runs(yard: Yard, tmp_path: Path) -> AsyncIterator[RunService]:
    home = tmp_path / "home"
    home.mkdir()
    own = pipelines(yard)
    async with RunService(
        Workspace([tmp_path]), DurableConfig(f"sqlite:///{home}/runs.db", home), find=pipeline_finder(own)
    ).open() as runs:
        yield runs


Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def connect(runs: RunService, yard: Yard) -> Connect:
    """Return a function that connects clients, by default with the extension and a person."""
    tools = [*map(custom_tool, pipelines(yard)), *toolset("runs")]

    async def person(_context: Any, _params: Any) -> Any:
        raise AssertionError("a task's questions are not put to the client's callback")

    def connected(*extensions: TaskClient, **options: Any) -> AbstractAsyncContextManager[Client]:
        known = extensions or (TaskClient(),)
        return Client(make_server(runs, tools), extensions=known, **{"elicitation_callback": person, **options})

    return connected


async def task_of(client: Client, tool: str = "build-boat", **arguments: Any) -> str:
    task = await call(client, tool, arguments)
    assert isinstance(task, dict), task
    task_id: str = task["taskId"]
    return task_id


async def test_a_long_call_is_a_task_with_the_result_of_the_call(connect: Connect, yard: Yard) -> None:
    async with connect() as client:
        task = await call(client, "build-boat", {"name": "argo"})
        assert isinstance(task, dict)
        assert task["status"] == "working"
        assert isinstance(task["ttlMs"], int)
        await yard.begun.wait()
        while "planking" not in (working := await ask(client, "tasks/get", task["taskId"])).get("statusMessage", ""):
            await anyio.sleep(0.05)
        assert (working["status"], working["statusMessage"]) == ("working", "build: planking")
        assert "result" not in working
        yard.go.set()
        ended = await until(client, task["taskId"])
        inline = await client.call_tool("build-boat", {"name": "argo"})
    assert ended["status"] == "completed"
    result = CallToolResult.model_validate(ended["result"])
    assert result.structured_content["boat"] == {"name": "argo"}
    assert result.structured_content["run"] == run_of(task["taskId"])
    for answer in (result, inline):
        answer.structured_content["run"] = answer.structured_content["seconds"] = None
        for stage in answer.structured_content["stages"]:
            stage["seconds"] = None
    assert result.structured_content == inline.structured_content
    assert "argo" in result.content[0].text  # type: ignore[union-attr]


async def test_a_client_without_the_extension_waits_for_the_result(runs: RunService, yard: Yard) -> None:
    yard.go.set()
    async with Client(make_server(runs, list(map(custom_tool, pipelines(yard))))) as client:
        result = await client.call_tool("build-boat", {"name": "argo"})
        assert result.structured_content is not None
        with pytest.raises(MCPError) as refused:
            await ask(client, "tasks/get", result.structured_content["run"])
    assert refused.value.error.code == -32021


async def test_a_fault_completes_the_task_with_next_actions(connect: Connect, yard: Yard) -> None:
    async with connect() as client:
        task_id = await task_of(client, name="raft", leaks=True)
        yard.go.set()
        ended = await until(client, task_id)
    assert ended["status"] == "completed"
    assert ended["result"]["isError"] is True
    assert ended["result"]["structuredContent"]["code"] == "boat.leaks"
    assert ended["result"]["structuredContent"]["resume"]["run_id"] == run_of(task_id)


async def test_a_cancelled_task_stays_cancelled(connect: Connect, yard: Yard) -> None:
    async with connect() as client:
        task_id = await task_of(client)
        await yard.begun.wait()
        assert "status" not in await ask(client, "tasks/cancel", task_id)
        ended = await until(client, task_id)
        assert ended["status"] == "cancelled"
        await ask(client, "tasks/cancel", task_id)
        assert (await ask(client, "tasks/get", task_id))["status"] == "cancelled"
    assert yard.built == 0


async def test_a_task_exists_only_for_its_principal(runs: RunService, connect: Connect, yard: Yard) -> None:
    async with connect() as client:
        task_id = await task_of(client)
        for method in ("tasks/get", "tasks/cancel"):
            with pytest.raises(MCPError) as refused:
                await ask(client, method, "0" * 24)
            assert refused.value.error.code == -32602
        tasks = Tasks(runs, {})
        with pytest.raises(MCPError) as refused:
            await tasks.get(task_id, "somebody else")
        assert refused.value.error.code == -32602
        yard.go.set()
        await until(client, task_id)


@pytest.mark.parametrize(
    ("said", "code", "built"),
    [
        ({"action": "accept", "content": {"confirm": True}}, None, 1),
        ({"action": "accept", "content": {"confirm": False, "comment": "too windy"}}, "approval.rejected", 0),
        ({"action": "decline"}, "approval.rejected", 0),
        ({"action": "cancel"}, "approval.rejected", 0),
    ],
)
async def test_a_task_with_a_question_continues_with_the_answer(
    connect: Connect, yard: Yard, said: dict[str, Any], code: str | None, built: int
) -> None:
    yard.go.set()
    async with connect() as client:
        task_id = await task_of(client, "launch", name="argo")
        asking = await until(client, task_id, ["input_required"])
        [(key, request)] = asking["inputRequests"].items()
        assert request["method"] == "elicitation/create"
        assert request["params"]["message"] == "Launch argo?"
        await ask(client, "tasks/update", task_id, {"another": said, key: {"action": "accept", "content": {}}})
        assert (await ask(client, "tasks/get", task_id))["status"] == "input_required"
        await ask(client, "tasks/update", task_id, {key: said})
        assert (await ask(client, "tasks/get", task_id))["status"] != "input_required"
        ended = await until(client, task_id)
    content = ended["result"]["structuredContent"]
    assert content.get("code") == code, content
    assert yard.built == built


async def test_a_task_without_an_approver_times_out(connect: Connect, yard: Yard) -> None:
    async with connect(elicitation_callback=None) as client:
        result = await client.call_tool("launch", {"name": "argo"})
    assert result.structured_content is not None
    assert result.structured_content["code"] == "approval.timed_out"
    assert yard.built == 0


async def test_a_listener_is_notified_of_each_change_until_the_end(connect: Connect, yard: Yard) -> None:
    told: list[dict[str, Any]] = []
    ended = anyio.Event()

    async def hear(task: Task) -> None:
        told.append(dict(task.model_extra or {}))
        if told[-1]["status"] == "completed":
            ended.set()

    async with connect(TaskClient(hear)) as client:
        task_id = await task_of(client, "launch", name="argo")
        async with anyio.create_task_group() as group:
            group.start_soon(listen, client, [task_id, "0" * 24])
            await until(client, task_id, ["input_required"])
            yard.go.set()
            await ask(client, "tasks/update", task_id, {"launch": {"action": "accept", "content": {"confirm": True}}})
            with anyio.fail_after(30):
                await ended.wait()
            group.cancel_scope.cancel()
    assert {task["taskId"] for task in told} == {task_id}
    assert told[-1]["result"]["structuredContent"]["boat"] == {"name": "argo"}
