"""The toolset `runs`, on runs in memory and on a real store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client

from container_kit import Fault, NextAction, Stage, StageContext, Workspace
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.artifacts.image import Image
from support.mcp.tools import IMAGE, Mocks, connected, mocked

pytestmark = pytest.mark.anyio


class Flaky(Stage[Image]):
    """Fails until `works` is set; records its inputs."""

    name = "build"

    def __init__(self) -> None:
        self.works = False
        self.args: list[Any] = []
        self.waits: anyio.Event | None = None
        self.started = anyio.Event()

    async def execute(self, ctx: StageContext, **needs: Any) -> Image:
        self.args.append(needs)
        ctx.output("Step 1/2 : FROM scratch")
        ctx.output("Step 2/2 : COPY . .")
        self.started.set()
        if self.waits is not None:
            await self.waits.wait()
        if self.works:
            return IMAGE
        action = NextAction(why="another tag", arguments={"tag": "shop:2"})
        raise_fault(Fault(code="build.step_failed", message="it broke", hint="mend it", next_actions=(action,)))
        raise AssertionError


def raise_fault(fault: Fault) -> None:
    from container_kit import StageFailure

    raise StageFailure(fault)


@pytest.fixture
def build() -> Flaky:
    return Flaky()


@pytest.fixture
async def runs(build: Flaky, tmp_path: Path) -> AsyncIterator[RunService]:
    mocks: dict[str, Mocks] = {"build": {"build": build}}
    store = DurableConfig(f"sqlite:///{tmp_path / 'home' / 'runs.db'}", tmp_path / "home")
    async with RunService(Workspace([tmp_path]), store, find=mocked(mocks)).open() as opened:
        yield opened


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    with anyio.fail_after(30):
        return await client.call_tool(tool, arguments)


async def test_a_failed_run_is_listed_shown_and_retried_with_changed_arguments(runs: RunService, build: Flaky) -> None:
    async with connected(runs) as client:
        failed = await call(client, "build", path=".", build_args={"PASSWORD": "planted-value"})
        run = failed.structured_content["resume"]["run_id"]
        listed = await call(client, "list-runs")
        seen = await call(client, "get-run", run=run, stage="build")
        action = failed.structured_content["next_actions"][0]
        build.works = True
        retried = await call(client, action["tool"], **action["arguments"])
    assert [(r["id"], r["status"]) for r in listed.structured_content["runs"]] == [(run, "failed")]
    assert seen.structured_content["fault"]["code"] == "build.step_failed"
    assert seen.structured_content["log"]["lines"] == ["Step 1/2 : FROM scratch", "Step 2/2 : COPY . ."]
    assert action == {"tool": "retry-run", "arguments": {"run": run, "input": {"tag": "shop:2"}}, "why": "another tag"}
    assert not retried.is_error, retried.content
    assert retried.structured_content["image"]["reference"] == "shop:latest"
    options = next(need for need in build.args[-1].values() if hasattr(need, "build_args"))
    assert (options.tag, options.build_args) == ("shop:2", {"PASSWORD": "planted-value"})
    for result in (failed, listed, seen, retried):
        assert "planted-value" not in result.model_dump_json()


async def test_a_running_run_is_cancelled_by_another_call(runs: RunService, build: Flaky) -> None:
    build.waits = anyio.Event()
    results: list[Any] = []

    async def begin(client: Client) -> None:
        results.append(await call(client, "build", path="."))

    async with connected(runs) as client, anyio.create_task_group() as group:
        group.start_soon(begin, client)
        with anyio.fail_after(20):
            await build.started.wait()
        [run] = (await call(client, "list-runs", status="running")).structured_content["runs"]
        cancelled = await call(client, "cancel-run", run=run["id"])
    assert cancelled.structured_content["status"] == "cancelled"
    assert results[0].structured_content["code"] == "run.cancelled"


async def test_a_finished_run_is_rolled_back(runs: RunService, build: Flaky) -> None:
    build.works = True
    async with connected(runs) as client:
        built = await call(client, "build", path=".")
        undone = await call(client, "rollback-run", run=built.structured_content["run"])
        seen = await call(client, "get-run", run=built.structured_content["run"])
    assert not undone.is_error, undone.content
    assert seen.structured_content["status"] in ("rolled_back", "success")  # a stage without rollback keeps its status


@pytest.mark.parametrize("tool", ["get-run", "cancel-run", "retry-run", "rollback-run"])
async def test_an_unknown_run_id_is_a_fault(runs: RunService, tool: str) -> None:
    async with connected(runs) as client:
        result = await call(client, tool, run="0" * 24)
    assert result.structured_content["code"] == "run.not_found"


async def test_runs_of_another_principal_are_not_found(runs: RunService) -> None:
    async with connected(runs) as client:
        failed = await call(client, "build", path=".")
    run = failed.structured_content["resume"]["run_id"]
    assert (await runs.backend(run).get(run, None)).status == "failed"
    with pytest.raises(Exception, match=r"run\.not_found"):
        await runs.backend(run).get(run, "somebody else")
    assert await runs.list_runs(principal="somebody else") == []


async def test_a_dry_run_leaves_nothing_in_the_store(runs: RunService, tmp_path: Path) -> None:
    async with connected(runs) as client:
        await call(client, "build", path=".", dry_run=True)
    assert not (tmp_path / "home").exists()


async def test_a_list_of_runs_is_small_and_says_what_each_was_about(runs: RunService, tmp_path: Path) -> None:
    folders = [f"service-{number:02}-of-a-repository-with-a-long-name" for number in range(21)]
    async with connected(runs) as client:
        for folder in folders:
            (tmp_path / folder / "api").mkdir(parents=True)
            await call(client, "build", path=folder, module="api")
        listed = await call(client, "list-runs")
        rest = await call(client, "list-runs", offset=20)
        [found] = (await call(client, "list-runs", application=folders[3])).structured_content["runs"]
    page = listed.structured_content
    assert len(page["runs"]) == 20
    assert len(json.dumps(page)) + len(listed.content[0].text) <= 2 * 6144  # the same as data and as text
    assert len(json.dumps(page)) <= 6144
    first = page["runs"][0]
    assert (first["source"], first["module"], first["cause"]) == (folders[20], "api", "build.step_failed: it broke")
    assert first["seconds"] >= 0
    assert page["next_offset"] == 20
    assert [run["source"] for run in rest.structured_content["runs"]] == [folders[0]]
    assert "next_offset" not in rest.structured_content
    assert found["source"] == folders[3]


async def test_text_of_a_request_cannot_break_the_lines_of_a_list(runs: RunService, tmp_path: Path) -> None:
    (tmp_path / "shop\nnext 1").mkdir()
    async with connected(runs) as client:
        await call(client, "build", path="shop\nnext 1")
        listed = await call(client, "list-runs")
    assert len(listed.content[0].text.splitlines()) == 1
    assert "\n" not in listed.structured_content["runs"][0]["source"]
