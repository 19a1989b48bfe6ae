"""Crashes: at any point, the run completes or is rolled back, and each effect exists exactly once."""

from __future__ import annotations

import random
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import anyio
import pytest

from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.pipelines.pipeline import WorkflowPipeline
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineResponse, new_run_id
from container_kit.stages.contract.workspace import Workspace
from support.pipelines import bakery
from support.pipelines.bakery import Order, effects, find

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(90)]

Spawn = Callable[..., BaseProcess]
FORWARD = [f"{stage}:{moment}" for stage in bakery.STAGES for moment in ("before", "after")]
BACKWARD = [f"undo-{stage}:{moment}" for stage in ("second", "first") for moment in ("before", "after")]


async def crash_and_recover(
    spawn: Spawn,
    url: str,
    home: Path,
    pipeline: str,
    point: str,
    find_recovered: Callable[[str], Plan] = find,
    **order: str,
) -> PipelineResponse:
    """Run in a process that dies at a point, then open the store in this process and wait for the run's end.

    Args:
        find_recovered: Returns the plans in this process.
    """
    (home / "die-at").write_text(point)
    run_id = new_run_id()
    victim = spawn(bakery.start_run, url, str(home), pipeline, {"folder": str(home), **order}, run_id)
    await anyio.to_thread.run_sync(victim.join, 30)
    assert victim.exitcode == -9, f"the process should have died at {point}"
    async with DurableRuns(DurableConfig(url, home, find=find_recovered)).open() as runs:
        with anyio.fail_after(20):
            return await runs.wait(run_id)


@pytest.mark.parametrize("point", FORWARD)
async def test_a_killed_run_completes(spawn: Spawn, store_url: str, home: Path, point: str) -> None:
    response = await crash_and_recover(spawn, store_url, home, "atomic", point)
    assert response.status == "success"
    assert effects(home, response.id) == ["first", "second", "third"]


@pytest.mark.parametrize("point", BACKWARD)
async def test_a_killed_rollback_completes(spawn: Spawn, store_url: str, home: Path, point: str) -> None:
    response = await crash_and_recover(spawn, store_url, home, "atomic", point, fails="third")
    assert response.status == "rolled_back"
    assert response.fault is not None
    assert response.fault.rolled_back == ("second", "first")
    assert effects(home, response.id) == []


@pytest.mark.parametrize("point", ["second:before", "second:after", "third:before", "third:after", "sign:validate"])
async def test_a_killed_parallel_group_completes(spawn: Spawn, store_url: str, home: Path, point: str) -> None:
    response = await crash_and_recover(spawn, store_url, home, "parallel", point)
    assert response.status == "success"
    assert effects(home, response.id) == ["first", "second", "third"]
    assert (home / f"signed-{response.id}").exists()


async def test_a_run_killed_during_a_retry_delay_completes(spawn: Spawn, store_url: str, home: Path) -> None:
    response = await crash_and_recover(spawn, store_url, home, "workflow", "second:retrying", flaky="second")
    assert response.status == "success"
    assert effects(home, response.id) == ["first", "second", "third"]


async def test_events_from_before_a_crash_are_not_repeated(spawn: Spawn, store_url: str, home: Path) -> None:
    response = await crash_and_recover(spawn, store_url, home, "atomic", "third:before")
    async with DurableRuns(DurableConfig(store_url, home, find=find)).open() as runs:
        events = [(seq, event) async for seq, event in runs.events(response.id)]
    assert [seq for seq, _ in events] == list(range(1, len(events) + 1))
    ends = [event.stage for _, event in events if event.kind == "stage_succeeded"]
    assert ends == ["first", "second", "third"]
    assert [event.kind for _, event in events].count("run_started") == 1


async def test_a_run_whose_pipeline_has_other_stages_now_is_a_fault(spawn: Spawn, sqlite_url: str, home: Path) -> None:
    def find_in_new_release(name: str) -> Plan:
        return WorkflowPipeline(name, inputs=Order).plan()

    response = await crash_and_recover(spawn, sqlite_url, home, "workflow", "second:before", find_in_new_release)
    assert response.fault is not None
    assert response.fault.code == "run.plan_changed"


async def test_a_run_that_kills_each_process_is_not_resumed_again(spawn: Spawn, sqlite_url: str, home: Path) -> None:
    run_id = new_run_id()
    for attempt in range(2):
        (home / "die-at").write_text("second:before")
        target, args = (
            (bakery.start_run, ("workflow", {"folder": str(home)}, run_id)) if attempt == 0 else (bakery.work, ())
        )
        victim = spawn(target, sqlite_url, str(home), *args)
        await anyio.to_thread.run_sync(victim.join, 30)
        assert victim.exitcode == -9
    async with DurableRuns(DurableConfig(sqlite_url, home, find=find, max_recovery_attempts=1)).open() as runs:
        with anyio.fail_after(20):
            response = await runs.wait(run_id)
    assert response.fault is not None
    assert response.fault.code == "run.recovery_exhausted"
    assert effects(home, run_id) == ["first"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
# DBOS, when it stops, may drop a connection of its notification thread without closing it
@pytest.mark.filterwarnings("ignore:.*psycopg.Connection.*:pytest.PytestUnraisableExceptionWarning")
async def test_two_hundred_random_kills_lose_nothing(spawn: Spawn, store_url: str, home: Path) -> None:
    chance = random.Random(20)
    recovered = 0
    for number in range(200):
        run_id = new_run_id()
        pipeline, fails = chance.choice([("atomic", None), ("atomic", "third"), ("parallel", None), ("workflow", None)])
        order = Order(folder=str(home), fails=fails, flaky=chance.choice([None, "second"]), slow=0.05).model_dump()
        victim = spawn(bakery.start_run, store_url, str(home), pipeline, order, run_id)
        with anyio.fail_after(20):
            while not (home / f"started-{run_id}").exists():
                await anyio.sleep(0.001)
        await anyio.sleep(chance.uniform(0.0, 0.3))  # the kill point is random
        victim.kill()
        await anyio.to_thread.run_sync(victim.join, 10)
        async with DurableRuns(DurableConfig(store_url, home, find=find)).open() as runs:
            with anyio.fail_after(20):
                response = await runs.wait(run_id)
            recovered += (await runs.queries.get(run_id)).recovery_attempts
        expected = [] if fails else ["first", "second", "third"]
        assert effects(home, run_id) == expected, f"run {number}: {response}"
    assert recovered >= 100  # otherwise the kills came too late


async def test_four_processes_on_one_file_execute_each_run_once(spawn: Spawn, sqlite_url: str, home: Path) -> None:
    for _ in range(3):
        spawn(bakery.work, sqlite_url, str(home))
    async with DurableRuns(DurableConfig(sqlite_url, home, find=find)).open() as runs:
        requests = [find("targeted").request(Order(folder=str(home), note=f"target-{n}")) for n in range(50)]
        for request in requests:
            await runs.start(request, Workspace([home]))
        with anyio.fail_after(60):
            responses = [await runs.wait(request.id) for request in requests]
    (home / "stop").touch()
    assert {response.status for response in responses} == {"success"}
    for request in requests:
        assert len(list(home.glob(f"attempt-{request.id}-first-*"))) == 1
