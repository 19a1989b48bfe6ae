"""Approval of deployments to a protected target, in both protocol revisions and in tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitResult, InputRequiredResult

from container_kit import Workspace
from container_kit.pipelines import catalog
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.runs.service import RunService
from container_kit.pipelines.testing import MockStage
from container_kit.server.app import make_server
from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.artifacts.target import Target
from container_kit.tools.registry import ALL
from support.mcp.tasks import TaskClient, ask, call, run_of, until
from support.mcp.tools import IMAGE

pytestmark = pytest.mark.anyio

TARGETS = (Target(name="prod", protected=True), Target(name="lab"))
DEPLOYED = Deployment(
    name="shop",
    url="http://127.0.0.1:8000",
    container_id="c" * 64,
    container_name="shop",
    image=IMAGE.reference,
    image_id=IMAGE.id,
    host_port=8000,
    container_port=8000,
)
TO_PROD = {"image": "shop:latest", "name": "shop", "deploy_to": "prod"}


class Engine:
    """Counts deployments; everything else is the pipeline of the catalog."""

    def __init__(self) -> None:
        self.deploy = MockStage("deploy", [DEPLOYED])

    def find(self, name: str) -> Plan:
        pipeline = catalog.pipeline(name, TARGETS)
        if not name.startswith("deploy"):
            return pipeline.plan()
        found = MockStage("find-image", [IMAGE])
        verified = MockStage("verify", [Verification(url=DEPLOYED.url, healthy=True, checks=())])
        return pipeline.with_stages_replaced({"find-image": found, "deploy": self.deploy, "verify": verified}).plan()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def runs(engine: Engine, tmp_path: Path) -> AsyncIterator[RunService]:
    home = tmp_path / "home"
    home.mkdir()
    store = DurableConfig(f"sqlite:///{home}/runs.db", home)
    async with RunService(Workspace([tmp_path]), store, find=engine.find).open() as runs:
        yield runs


class Person:
    """Answers with a fixed response and records the questions."""

    def __init__(self, **says: Any) -> None:
        self.says = says
        self.asked: list[str] = []

    async def __call__(self, _context: Any, params: Any) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(**self.says)


def yes() -> Person:
    return Person(action="accept", content={"confirm": True})


Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def connect(runs: RunService) -> Connect:
    def connected(mode: str, person: Person | None, **options: Any) -> AbstractAsyncContextManager[Client]:
        return Client(make_server(runs, ALL), mode=mode, elicitation_callback=person, **options)

    return connected


def code_of(result: CallToolResult) -> str | None:
    assert result.structured_content is not None
    code: str | None = result.structured_content.get("code")
    return code


BOTH_ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


@BOTH_ERAS
async def test_an_approved_deployment_is_executed(connect: Connect, engine: Engine, mode: str) -> None:
    person = yes()
    async with connect(mode, person) as client:
        result = await client.call_tool("deploy", TO_PROD)
    assert code_of(result) is None, result.content
    assert result.structured_content is not None
    assert result.structured_content["deployment"]["name"] == "shop"
    [question] = person.asked
    assert question.startswith('On the protected target prod ("engine ')
    assert f'deploy "shop"; image "shop:latest {IMAGE.id}"; replaces nothing?' in question
    assert engine.deploy.executions == 1


@BOTH_ERAS
@pytest.mark.parametrize(
    "person", [Person(action="decline"), Person(action="cancel"), Person(action="accept", content={"confirm": False})]
)
async def test_a_rejected_deployment_is_not_executed(
    connect: Connect, engine: Engine, mode: str, person: Person
) -> None:
    async with connect(mode, person) as client:
        result = await client.call_tool("deploy", TO_PROD)
        assert code_of(result) == "approval.rejected"
        assert result.structured_content is not None
        action = result.structured_content["next_actions"][0]
        foretold = await client.call_tool(action["tool"], action["arguments"])
    assert not foretold.is_error, foretold.content
    assert engine.deploy.executions == 0


@BOTH_ERAS
async def test_without_an_approver_nothing_is_deployed_and_the_fault_leads_to_a_retry(
    connect: Connect, engine: Engine, mode: str
) -> None:
    async with connect(mode, None) as client:
        result = await client.call_tool("deploy", TO_PROD)
        assert code_of(result) == "approval.timed_out"
        assert engine.deploy.executions == 0
    assert result.structured_content is not None
    action = result.structured_content["next_actions"][0]
    assert action["tool"] == "retry-run"
    async with connect(mode, yes()) as client:
        again = await client.call_tool(action["tool"], action["arguments"])
    assert code_of(again) is None, again.content
    assert engine.deploy.executions == 1


@BOTH_ERAS
async def test_other_targets_and_dry_runs_need_no_approval(connect: Connect, engine: Engine, mode: str) -> None:
    person = yes()
    async with connect(mode, person) as client:
        lab = await client.call_tool("deploy", {**TO_PROD, "deploy_to": "lab"})
        foretold = await client.call_tool("deploy", {**TO_PROD, "dry_run": True})
    assert code_of(lab) is None
    assert code_of(foretold) is None
    assert person.asked == []
    assert engine.deploy.executions == 1


async def test_a_task_awaits_approval(connect: Connect, engine: Engine) -> None:
    async with connect("auto", yes(), extensions=[TaskClient()]) as client:
        task = await call(client, "deploy", TO_PROD)
        assert isinstance(task, dict)
        asking = await until(client, task["taskId"], ["input_required"])
        assert engine.deploy.executions == 0
        said = {key: {"action": "accept", "content": {"confirm": True}} for key in asking["inputRequests"]}
        await ask(client, "tasks/update", task["taskId"], said)
        ended = await until(client, task["taskId"])
    assert ended["result"]["structuredContent"]["deployment"]["name"] == "shop"
    assert engine.deploy.executions == 1


async def test_get_run_shows_the_open_question(connect: Connect, engine: Engine) -> None:
    async with connect("auto", yes(), extensions=[TaskClient()]) as client:
        task = await call(client, "deploy", TO_PROD)
        assert isinstance(task, dict)
        await until(client, task["taskId"], ["input_required"])
        run = await client.call_tool("get-run", {"run": run_of(task["taskId"])})
        await ask(client, "tasks/cancel", task["taskId"])
        ended = await until(client, task["taskId"])
    assert run.structured_content is not None
    assert run.structured_content["status"] == "awaiting_approval"
    assert "protected target prod" in run.structured_content["question"]
    assert ended["status"] == "cancelled"
    assert engine.deploy.executions == 0


@BOTH_ERAS
async def test_a_rollback_of_an_approved_run_needs_approval(connect: Connect, engine: Engine, mode: str) -> None:
    person = yes()
    async with connect(mode, person) as client:
        deployed = await client.call_tool("deploy", TO_PROD)
        assert deployed.structured_content is not None
        undo = {"run": deployed.structured_content["run"]}
        person.says = {"action": "decline"}
        assert code_of(await client.call_tool("rollback-run", undo)) == "approval.rejected"
        assert engine.deploy.rollbacks == 0
        person.says = {"action": "accept", "content": {"confirm": True}}
        assert code_of(await client.call_tool("rollback-run", undo)) is None
    assert engine.deploy.rollbacks == 1
    assert person.asked[-1].startswith("Roll back the approved change")


OLD, NEW = "o" * 32, "n" * 32


@pytest.mark.parametrize(("keys", "others"), [([OLD], [NEW, OLD]), ([NEW], [OLD]), ([], [])])
async def test_another_server_accepts_an_answer_only_with_the_key(
    runs: RunService, engine: Engine, keys: list[str], others: list[str]
) -> None:
    async with Client(make_server(runs, ALL, request_state_keys=keys), elicitation_callback=yes()) as client:
        asked = await client.session.call_tool("deploy", TO_PROD, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    said: Any = {key: ElicitResult(action="accept", content={"confirm": True}) for key in asked.input_requests or {}}
    async with Client(make_server(runs, ALL, request_state_keys=others), elicitation_callback=yes()) as client:
        again = client.session.call_tool("deploy", TO_PROD, input_responses=said, request_state=asked.request_state)
        if set(keys) & set(others):
            assert code_of(await again) is None
        else:
            with pytest.raises(MCPError) as refused:
                await again
            assert refused.value.error.code == -32602
    assert engine.deploy.executions == len(set(keys) & set(others))
