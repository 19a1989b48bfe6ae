"""Many processes on one Postgres: servers start runs, workers execute them and resume those of dead workers."""

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

from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.stages.contract.workspace import Workspace
from support.pipelines import bakery
from support.pipelines.bakery import Order, effects, find
from support.pipelines.postgres import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(90)]

Spawn = Callable[..., BaseProcess]


async def start(runs: DurableRuns, home: Path, pipeline: str, priority: int | None = None, **order: str) -> str:
    request = find(pipeline).request(Order(folder=str(home), **order))
    return await runs.start(request, Workspace([home]), priority=priority)


async def wait_for_attempts(home: Path, run_id: str, stage: str, at_least: int = 1) -> list[int]:
    """Wait until processes have started the stage, and return their ids in order."""
    while True:
        traces = sorted(home.glob(f"attempt-{run_id}-{stage}-*"), key=lambda path: path.stat().st_mtime_ns)
        if len(traces) >= at_least:
            return [int(path.name.rpartition("-")[2]) for path in traces]
        await anyio.sleep(0.02)


async def test_a_server_starts_a_run_and_a_worker_executes_it(spawn: Spawn, postgres_url: str, home: Path) -> None:
    worker = spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(DurableConfig(postgres_url, home, role="server", find=find)).open() as runs:
        run_id = await start(runs, home, "workflow")
        with anyio.fail_after(20):
            response = await runs.wait(run_id)
        assert response.status == "success"
        assert await wait_for_attempts(home, run_id, "first") == [worker.pid]


async def test_a_worker_resumes_the_run_of_a_killed_worker_without_a_gap_in_the_events(
    spawn: Spawn, postgres_url: str, home: Path
) -> None:
    for _ in range(2):
        spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(DurableConfig(postgres_url, home, role="server", find=find)).open() as runs:
        run_id = await start(runs, home, "atomic", holds="second")
        received: list[tuple[int, str, str | None]] = []

        async def listen() -> None:
            async for seq, event in runs.events(run_id):
                received.append((seq, event.kind, event.stage))

        with anyio.fail_after(40):
            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                [victim] = await wait_for_attempts(home, run_id, "second")
                os.kill(victim, signal.SIGKILL)
                first, second = await wait_for_attempts(home, run_id, "second", at_least=2)
                (home / "go").touch()
        assert first != second
        assert [seq for seq, _, _ in received] == list(range(1, len(received) + 1))
        assert [stage for _, kind, stage in received if kind == "stage_succeeded"] == ["first", "second", "third"]
        assert effects(home, run_id) == ["first", "second", "third"]


async def test_one_trace_spans_processes_and_a_crash(spawn: Spawn, postgres_url: str, home: Path) -> None:
    for _ in range(2):
        spawn(bakery.work, postgres_url, str(home), "worker")
    tracer = TracerProvider().get_tracer("client")
    async with DurableRuns(DurableConfig(postgres_url, home, role="server", find=find)).open() as runs:
        with anyio.fail_after(40), tracer.start_as_current_span("a call") as span:
            run_id = await start(runs, home, "workflow", holds="second")
            [victim] = await wait_for_attempts(home, run_id, "second")
            os.kill(victim, signal.SIGKILL)
            await wait_for_attempts(home, run_id, "second", at_least=2)
            (home / "go").touch()
            response = await runs.wait(run_id)
        assert response.trace_id == f"{span.get_span_context().trace_id:032x}"


async def test_cancelling_stops_a_stage_in_another_process(spawn: Spawn, postgres_url: str, home: Path) -> None:
    spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(DurableConfig(postgres_url, home, role="server", find=find)).open() as runs:
        run_id = await start(runs, home, "atomic", holds="second")
        with anyio.fail_after(20):
            await wait_for_attempts(home, run_id, "second")
            await runs.cancel(run_id)
            response = await runs.wait(run_id)
        assert (response.status, effects(home, run_id)) == ("cancelled", [])


async def test_runs_with_one_concurrency_key_never_overlap_on_any_workers(
    spawn: Spawn, postgres_url: str, home: Path
) -> None:
    for _ in range(2):
        spawn(bakery.work, postgres_url, str(home), "worker")
    async with DurableRuns(DurableConfig(postgres_url, home, role="server", find=find)).open() as runs:
        with anyio.fail_after(30):
            first = await start(runs, home, "targeted", note="web", holds="first")
            await wait_for_attempts(home, first, "first")
            second = await start(runs, home, "targeted", note="web")
            third = await start(runs, home, "targeted", note="shop")
            await runs.wait(third)
            assert (await runs.queries.get(second)).status == "queued"
            (home / "go").touch()
            assert (await runs.wait(second)).status == "success"


async def test_of_the_waiting_runs_with_one_concurrency_key_the_most_urgent_is_first(
    spawn: Spawn, postgres_url: str, home: Path
) -> None:
    async with DurableRuns(DurableConfig(postgres_url, home, role="server", find=find)).open() as runs:
        later = await start(runs, home, "targeted", priority=9, note="web")
        sooner = await start(runs, home, "targeted", priority=1, note="web")
        spawn(bakery.work, postgres_url, str(home), "worker")
        with anyio.fail_after(30):
            await runs.wait(later)
            await runs.wait(sooner)
        began = {path.name.split("-")[1]: path.stat().st_mtime_ns for path in home.glob("attempt-*")}
        assert began[sooner] < began[later]


async def test_a_concurrency_limit_holds_over_all_workers(spawn: Spawn, postgres_url: str, home: Path) -> None:
    async with DurableRuns(DurableConfig(postgres_url, home, role="server", concurrency=1, find=find)).open() as runs:
        run_ids = [await start(runs, home, "targeted", note=name, holds="first") for name in ("a", "b", "c")]
        for _ in range(2):
            spawn(bakery.work, postgres_url, str(home), "worker")
        with anyio.fail_after(30):
            while not list(home.glob("attempt-*")):
                await anyio.sleep(0.02)
            states = sorted([(await runs.queries.get(run_id)).status for run_id in run_ids])
            assert states == ["queued", "queued", "running"]
            (home / "go").touch()
            for run_id in run_ids:
                assert (await runs.wait(run_id)).status == "success"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seconds", [4, pytest.param(30, marks=pytest.mark.slow)])
async def test_a_run_waits_while_postgres_is_unavailable(own_postgres: Postgres, home: Path, seconds: float) -> None:
    url = own_postgres.create("runs")
    with capture_logs() as log:
        async with DurableRuns(DurableConfig(url, home, find=find)).open() as runs:
            request = find("atomic").request(Order(folder=str(home), holds="second"), timeout=200)
            run_id = await runs.start(request, Workspace([home]))
            with anyio.fail_after(seconds + 100):  # DBOS retries at intervals that double, up to 90 s
                await wait_for_attempts(home, run_id, "second")
                await anyio.to_thread.run_sync(own_postgres.stop)
                (home / "go").touch()  # the stage ends while the journal is unavailable
                await anyio.sleep(seconds)
                await anyio.to_thread.run_sync(own_postgres.start)
                response = await runs.wait(run_id)
                while "the store is available again" not in {entry["event"] for entry in log}:
                    await anyio.sleep(0.02)
            assert response.status == "success"
            assert effects(home, run_id) == ["first", "second", "third"]
            assert len(await wait_for_attempts(home, run_id, "second")) == 1
            events = [event async for _, event in runs.events(run_id)]
            assert [event.stage for event in events if event.kind == "stage_succeeded"] == [
                "first",
                "second",
                "third",
            ]
    assert [entry["event"] for entry in log].count("the store is unavailable") == 1


async def test_a_run_stays_with_its_process_during_an_outage_of_postgres(
    own_postgres: Postgres, spawn: Spawn, home: Path
) -> None:
    url = own_postgres.create("runs")
    async with DurableRuns(DurableConfig(url, home, find=find)).open() as runs:
        run_id = await start(runs, home, "atomic", holds="second")
        with anyio.fail_after(80):
            began = await wait_for_attempts(home, run_id, "second")
            await anyio.to_thread.run_sync(own_postgres.stop)
            await anyio.sleep(1)  # several attempts to reach it fail
            await anyio.to_thread.run_sync(own_postgres.start)
            spawn(bakery.work, url, str(home), "worker", 80)
            with anyio.move_on_after(10):  # by then another process would have resumed the run of a dead one
                await wait_for_attempts(home, run_id, "second", at_least=2)
            assert await wait_for_attempts(home, run_id, "second") == began
            (home / "go").touch()
            assert (await runs.wait(run_id)).status == "success"
        assert await wait_for_attempts(home, run_id, "second") == began
