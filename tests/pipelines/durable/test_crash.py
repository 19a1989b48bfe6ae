"""Crashes: whatever the moment, the run ends as if nothing had happened, or undone; each effect exists exactly once."""

from __future__ import annotations

import random
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import anyio
import pytest

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


async def die_and_adopt(
    spawn: Spawn,
    url: str,
    home: Path,
    pipeline: str,
    point: str,
    adopter: Callable[[str], Plan] = find,
    **order: str,
) -> PipelineResponse:
    """Run in a process that dies at the point; then come up on the same store and wait for the run's end.

    Args:
        adopter: Finds the pipelines of the process that comes up.
    """
    (home / "die-at").write_text(point)
    run_id = new_run_id()
    victim = spawn(bakery.ask, url, str(home), pipeline, {"folder": str(home), **order}, run_id)
    await anyio.to_thread.run_sync(victim.join, 30)
    assert victim.exitcode == -9, f"the process should have died at {point}"
    async with DurableRuns(url, home, find=adopter).opened() as runs:
        with anyio.fail_after(20):
            return await runs.wait(run_id)


@pytest.mark.parametrize("point", FORWARD)
async def test_a_run_killed_on_its_way_ends_as_if_nothing_had_happened(
    spawn: Spawn, store_url: str, home: Path, point: str
) -> None:
    response = await die_and_adopt(spawn, store_url, home, "atomic", point)
    assert response.status == "success"
    assert effects(home, response.id) == ["first", "second", "third"]


@pytest.mark.parametrize("point", BACKWARD)
async def test_a_rollback_killed_on_its_way_is_finished(spawn: Spawn, store_url: str, home: Path, point: str) -> None:
    response = await die_and_adopt(spawn, store_url, home, "atomic", point, fails="third")
    assert response.status == "rolled_back"
    assert response.fault is not None
    assert response.fault.rolled_back == ("second", "first")
    assert effects(home, response.id) == []


@pytest.mark.parametrize("point", ["second:before", "second:after", "third:before", "third:after", "sign:validate"])
async def test_a_parallel_group_killed_on_its_way_is_finished(
    spawn: Spawn, store_url: str, home: Path, point: str
) -> None:
    response = await die_and_adopt(spawn, store_url, home, "parallel", point)
    assert response.status == "success"
    assert effects(home, response.id) == ["first", "second", "third"]
    assert (home / f"signed-{response.id}").exists()


async def test_a_run_killed_during_a_retry_delay_goes_on(spawn: Spawn, store_url: str, home: Path) -> None:
    response = await die_and_adopt(spawn, store_url, home, "workflow", "second:retrying", flaky="second")
    assert response.status == "success"
    assert effects(home, response.id) == ["first", "second", "third"]


async def test_what_was_told_before_the_crash_is_not_told_again(spawn: Spawn, store_url: str, home: Path) -> None:
    response = await die_and_adopt(spawn, store_url, home, "atomic", "third:before")
    async with DurableRuns(store_url, home, find=find).opened() as runs:
        told = [(seq, event) async for seq, event in runs.events(response.id)]
    assert [seq for seq, _ in told] == list(range(1, len(told) + 1))
    ends = [event.stage for _, event in told if event.kind == "stage_succeeded"]
    assert ends == ["first", "second", "third"]
    assert [event.kind for _, event in told].count("run_started") == 1


async def test_a_run_whose_pipeline_has_other_stages_by_now_says_so(spawn: Spawn, sqlite_url: str, home: Path) -> None:
    def of_the_new_release(name: str) -> Plan:
        return WorkflowPipeline(name, inputs=Order).plan()

    response = await die_and_adopt(spawn, sqlite_url, home, "workflow", "second:before", of_the_new_release)
    assert response.fault is not None
    assert response.fault.code == "run.plan_changed"


async def test_a_run_that_keeps_killing_its_process_is_parked_for_a_person(
    spawn: Spawn, sqlite_url: str, home: Path
) -> None:
    run_id = new_run_id()
    for attempt in range(2):
        (home / "die-at").write_text("second:before")
        target, args = (bakery.ask, ("workflow", {"folder": str(home)}, run_id)) if attempt == 0 else (bakery.work, ())
        victim = spawn(target, sqlite_url, str(home), *args)
        await anyio.to_thread.run_sync(victim.join, 30)
        assert victim.exitcode == -9
    async with DurableRuns(sqlite_url, home, find=find, adoptions=1).opened() as runs:
        with anyio.fail_after(20):
            response = await runs.wait(run_id)
    assert response.fault is not None
    assert response.fault.code == "run.recovery_exhausted"
    assert effects(home, run_id) == ["first"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
# DBOS, told to stop, may drop a connection of its notification thread without closing it
@pytest.mark.filterwarnings("ignore:.*psycopg.Connection.*:pytest.PytestUnraisableExceptionWarning")
async def test_two_hundred_random_kills_lose_nothing(spawn: Spawn, store_url: str, home: Path) -> None:
    chance = random.Random(20)
    adopted = 0
    for number in range(200):
        run_id = new_run_id()
        pipeline, fails = chance.choice([("atomic", None), ("atomic", "third"), ("parallel", None), ("workflow", None)])
        order = Order(folder=str(home), fails=fails, flaky=chance.choice([None, "second"]), slow=0.05).model_dump()
        victim = spawn(bakery.ask, store_url, str(home), pipeline, order, run_id)
        with anyio.fail_after(20):
            while not (home / f"asked-{run_id}").exists():
                await anyio.sleep(0.001)
        await anyio.sleep(chance.uniform(0.0, 0.3))  # the kill point itself is what is drawn at random
        victim.kill()
        await anyio.to_thread.run_sync(victim.join, 10)
        async with DurableRuns(store_url, home, find=find).opened() as runs:
            with anyio.fail_after(20):
                response = await runs.wait(run_id)
            adopted += (await runs.history.get(run_id)).adoptions
        wanted = [] if fails else ["first", "second", "third"]
        assert effects(home, run_id) == wanted, f"run {number}: {response}"
    assert adopted >= 100  # or the kills came too late to mean anything


async def test_four_processes_on_one_file_carry_out_each_run_once(spawn: Spawn, sqlite_url: str, home: Path) -> None:
    for _ in range(3):
        spawn(bakery.work, sqlite_url, str(home))
    async with DurableRuns(sqlite_url, home, find=find).opened() as runs:
        asked = [find("targeted").request(Order(folder=str(home), note=f"target-{n}")) for n in range(50)]
        for request in asked:
            await runs.start(request, Workspace([home]))
        with anyio.fail_after(60):
            responses = [await runs.wait(request.id) for request in asked]
    (home / "stop").touch()
    assert {response.status for response in responses} == {"success"}
    for request in asked:
        assert len(list(home.glob(f"attempt-{request.id}-first-*"))) == 1
