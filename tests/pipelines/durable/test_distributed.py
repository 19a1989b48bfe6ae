"""Many processes on one Postgres: servers ask, workers carry out, and a dead worker's runs go on elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import anyio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from structlog.testing import capture_logs

from container_kit.pipelines.durable.service import DurableRuns
from container_kit.stages.contract.workspace import Workspace
from support.pipelines import bakery
from support.pipelines.bakery import Order, effects, find
from support.pipelines.postgres import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(90)]

Spawn = Callable[..., BaseProcess]


async def asked(runs: DurableRuns, home: Path, pipeline: str, priority: int | None = None, **order: str) -> str:
    request = find(pipeline).request(Order(folder=str(home), **order))
    return await runs.start(request, Workspace([home]), priority=priority)


async def attempts_of(home: Path, run_id: str, stage: str, at_least: int = 1) -> list[int]:
    """The processes that have begun the stage, in order, once there are so many."""
    while True:
        found = sorted(home.glob(f"attempt-{run_id}-{stage}-*"), key=lambda path: path.stat().st_mtime_ns)
        if len(found) >= at_least:
            return [int(path.name.rpartition("-")[2]) for path in found]
        await anyio.sleep(0.02)


async def test_a_server_asks_and_a_worker_carries_out(spawn: Spawn, postgres_url: str, home: Path) -> None:
    worker = spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(postgres_url, home, role="server", find=find).opened() as runs:
        run_id = await asked(runs, home, "workflow")
        with anyio.fail_after(20):
            response = await runs.wait(run_id)
        assert response.status == "success"
        assert await attempts_of(home, run_id, "first") == [worker.pid]


async def test_a_killed_workers_run_is_adopted_by_the_other_and_the_story_has_no_gap(
    spawn: Spawn, postgres_url: str, home: Path
) -> None:
    for _ in range(2):
        spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(postgres_url, home, role="server", find=find).opened() as runs:
        run_id = await asked(runs, home, "atomic", holds="second")
        told: list[tuple[int, str, str | None]] = []

        async def listen() -> None:
            async for seq, event in runs.events(run_id):
                told.append((seq, event.kind, event.stage))

        with anyio.fail_after(40):
            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                [victim] = await attempts_of(home, run_id, "second")
                os.kill(victim, signal.SIGKILL)
                first, second = await attempts_of(home, run_id, "second", at_least=2)
                (home / "go").touch()
        assert first != second
        assert [seq for seq, _, _ in told] == list(range(1, len(told) + 1))
        assert [stage for _, kind, stage in told if kind == "stage_succeeded"] == ["first", "second", "third"]
        assert effects(home, run_id) == ["first", "second", "third"]


async def test_one_trace_goes_on_through_other_processes_and_a_crash(
    spawn: Spawn, postgres_url: str, home: Path
) -> None:
    for _ in range(2):
        spawn(bakery.work, postgres_url, str(home), "worker")
    tracer = TracerProvider().get_tracer("client")
    async with DurableRuns(postgres_url, home, role="server", find=find).opened() as runs:
        with anyio.fail_after(40), tracer.start_as_current_span("a call") as span:
            run_id = await asked(runs, home, "workflow", holds="second")
            [victim] = await attempts_of(home, run_id, "second")
            os.kill(victim, signal.SIGKILL)
            await attempts_of(home, run_id, "second", at_least=2)
            (home / "go").touch()
            response = await runs.wait(run_id)
        assert response.trace_id == f"{span.get_span_context().trace_id:032x}"


async def test_cancelling_reaches_a_stage_in_another_process(spawn: Spawn, postgres_url: str, home: Path) -> None:
    spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(postgres_url, home, role="server", find=find).opened() as runs:
        run_id = await asked(runs, home, "atomic", holds="second")
        with anyio.fail_after(20):
            await attempts_of(home, run_id, "second")
            await runs.cancel(run_id)
            response = await runs.wait(run_id)
        assert (response.status, effects(home, run_id)) == ("cancelled", [])


async def test_of_one_target_never_two_runs_are_carried_out_over_all_workers(
    spawn: Spawn, postgres_url: str, home: Path
) -> None:
    for _ in range(2):
        spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(postgres_url, home, role="server", find=find).opened() as runs:
        with anyio.fail_after(30):
            first = await asked(runs, home, "targeted", note="web", holds="first")
            await attempts_of(home, first, "first")
            second = await asked(runs, home, "targeted", note="web")
            third = await asked(runs, home, "targeted", note="shop")
            await runs.wait(third)
            assert (await runs.history.get(second)).status == "queued"
            (home / "go").touch()
            assert (await runs.wait(second)).status == "success"


async def test_of_the_runs_that_wait_for_one_target_the_more_urgent_goes_first(
    spawn: Spawn, postgres_url: str, home: Path
) -> None:
    async with DurableRuns(postgres_url, home, role="server", find=find).opened() as runs:
        later = await asked(runs, home, "targeted", priority=9, note="web")
        sooner = await asked(runs, home, "targeted", priority=1, note="web")
        spawn(bakery.work, postgres_url, str(home), "worker")
        with anyio.fail_after(30):
            await runs.wait(later)
            await runs.wait(sooner)
        began = {path.name.split("-")[1]: path.stat().st_mtime_ns for path in home.glob("attempt-*")}
        assert began[sooner] < began[later]


async def test_a_limit_holds_over_all_workers(spawn: Spawn, postgres_url: str, home: Path) -> None:
    async with DurableRuns(postgres_url, home, role="server", concurrency=1, find=find).opened() as runs:
        asked_for = [await asked(runs, home, "targeted", note=name, holds="first") for name in ("a", "b", "c")]
        for _ in range(2):
            spawn(bakery.work, postgres_url, str(home), "worker")
        with anyio.fail_after(30):
            while not list(home.glob("attempt-*")):
                await anyio.sleep(0.02)
            states = sorted([(await runs.history.get(run_id)).status for run_id in asked_for])
            assert states == ["queued", "queued", "running"]
            (home / "go").touch()
            for run_id in asked_for:
                assert (await runs.wait(run_id)).status == "success"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seconds", [4, pytest.param(30, marks=pytest.mark.slow)])
async def test_a_run_waits_while_postgres_is_gone_and_goes_on(
    own_postgres: Postgres, home: Path, seconds: float
) -> None:
    url = own_postgres.create("runs")
    with capture_logs() as log:
        async with DurableRuns(url, home, find=find).opened() as runs:
            request = find("atomic").request(Order(folder=str(home), holds="second"), timeout=200)
            run_id = await runs.start(request, Workspace([home]))
            with anyio.fail_after(seconds + 100):  # DBOS asks at intervals that double, up to 90 s
                await attempts_of(home, run_id, "second")
                await anyio.to_thread.run_sync(own_postgres.stop)
                (home / "go").touch()  # the stage ends while nothing can be journaled
                await anyio.sleep(seconds)
                await anyio.to_thread.run_sync(own_postgres.start)
                response = await runs.wait(run_id)
                while "the store answers again" not in {entry["event"] for entry in log}:
                    await anyio.sleep(0.02)
            assert response.status == "success"
            assert effects(home, run_id) == ["first", "second", "third"]
            assert len(await attempts_of(home, run_id, "second")) == 1
            told = [event async for _, event in runs.events(run_id)]
            assert [event.stage for event in told if event.kind == "stage_succeeded"] == ["first", "second", "third"]
    assert [entry["event"] for entry in log].count("the store does not answer") == 1


async def test_a_run_stays_with_its_process_when_postgres_was_away(
    own_postgres: Postgres, spawn: Spawn, home: Path
) -> None:
    url = own_postgres.create("runs")
    async with DurableRuns(url, home, find=find).opened() as runs:
        run_id = await asked(runs, home, "atomic", holds="second")
        with anyio.fail_after(80):
            began = await attempts_of(home, run_id, "second")
            await anyio.to_thread.run_sync(own_postgres.stop)
            await anyio.sleep(1)  # several looks find it away
            await anyio.to_thread.run_sync(own_postgres.start)
            spawn(bakery.work, url, str(home), "worker", 80)
            with anyio.move_on_after(10):  # by then a run of one who died would have been adopted
                await attempts_of(home, run_id, "second", at_least=2)
            assert await attempts_of(home, run_id, "second") == began
            (home / "go").touch()
            assert (await runs.wait(run_id)).status == "success"
        assert await attempts_of(home, run_id, "second") == began
