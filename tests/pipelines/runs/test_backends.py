"""The backends of runs: runs in memory and in the store behave alike for their callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from container_kit import Event, StageFailure
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.runs.backend import RunBackend
from container_kit.pipelines.runs.client import Caller, RunDetached
from container_kit.pipelines.runs.memory import MemoryRuns
from container_kit.pipelines.runs.service import RunService
from container_kit.pipelines.runs.stored import StoredRuns
from container_kit.stages.contract.workspace import Workspace
from support.pipelines.bakery import Order, Three, effects, find

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

Open = Callable[[Path], AbstractAsyncContextManager[RunBackend]]


@asynccontextmanager
async def in_memory(home: Path) -> AsyncIterator[RunBackend]:
    yield MemoryRuns(Workspace([home]))


@asynccontextmanager
async def in_store(home: Path) -> AsyncIterator[RunBackend]:
    stored = StoredRuns(DurableConfig(f"sqlite:///{home}/runs.db", home, find=find), Workspace([home]))
    async with anyio.create_task_group() as group:
        stored.attach(group)
        yield stored
        await stored.release()


both = pytest.mark.parametrize("open_backend", [in_memory, in_store])


async def execute(backend: RunBackend, home: Path, caller: Caller, pipeline: str = "workflow", **order: str) -> str:
    plan = find(pipeline)
    response = await backend.execute(plan, plan.request(Order(folder=str(home), **order)), caller)
    return response.id


async def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(StageFailure) as caught:
        await call()  # type: ignore[misc]
    return caught.value.fault.code


@both
async def test_a_run_can_be_read_after_its_end(open_backend: Open, tmp_path: Path) -> None:
    events: list[Event] = []
    async with open_backend(tmp_path) as backend:
        run_id = await execute(backend, tmp_path, Caller("ann", on_event=events.append))
        run = await backend.get(run_id, "ann")
        assert (run.id, run.pipeline, run.status, run.progress) == (run_id, "workflow", "success", 1.0)
        assert [stage.status for stage in run.stages] == ["success"] * 3
        assert run.response is not None
        _, states = await backend.stage_states(run_id, "ann")
        assert [stage.state for stage in states.stages(run.stages)] == ["success"] * 3
        assert (await backend.log(run_id, "ann", "second")).lines == ("second begins",)
        assert Path((await backend.artifacts(run_id, "ann"))[Three].effect).exists()
        assert [run.id for run in await backend.list_runs("ann", "success", "workflow", None, 5)] == [run_id]
    assert (events[0].kind, events[-1].kind) == ("run_started", "run_finished")


@both
async def test_the_run_of_another_caller_is_not_found(open_backend: Open, tmp_path: Path) -> None:
    async with open_backend(tmp_path) as backend:
        run_id = await execute(backend, tmp_path, Caller("ann"))
        bob = Caller("bob")
        calls: list[Callable[[], object]] = [
            lambda: backend.get(run_id, "bob"),
            lambda: backend.stage_states(run_id, "bob"),
            lambda: backend.artifacts(run_id, "bob"),
            lambda: backend.log(run_id, "bob", "first"),
            lambda: backend.cancel(run_id, "bob"),
            lambda: backend.retry(run_id, bob, {}),
            lambda: backend.roll_back(run_id, bob),
        ]
        assert {await code_of(call) for call in calls} == {"run.not_found"}
        assert await backend.list_runs("bob", None, None, None, 5) == []


@both
async def test_a_run_can_be_cancelled_by_its_id(open_backend: Open, tmp_path: Path) -> None:
    ids: list[str] = []
    seen: list[str | None] = []
    async with open_backend(tmp_path) as backend, anyio.create_task_group() as group:

        async def run() -> None:
            ids.append(await execute(backend, tmp_path, Caller(), "atomic", holds="second"))

        group.start_soon(run)
        with anyio.fail_after(40):
            while not list(tmp_path.glob("attempt-*-second-*")):
                await anyio.sleep(0.01)
            [running] = await backend.list_runs(None, "running", None, None, 5)
            ready = anyio.Event()

            async def collect() -> None:
                seen.extend([stage async for stage in backend.watch(running.id, None, ready.set)])

            group.start_soon(collect)
            await ready.wait()
            await backend.cancel(running.id, None)
            while not ids or not seen or seen[-1] is not None:
                await anyio.sleep(0.01)
        assert (await backend.get(running.id, None)).status == "cancelled"
    assert effects(tmp_path, running.id) == []
    assert "second" in seen


@both
async def test_stop_cancels_the_runs_of_the_process(open_backend: Open, tmp_path: Path) -> None:
    statuses: list[str] = []
    async with open_backend(tmp_path) as backend, anyio.create_task_group() as group:

        async def run() -> None:
            run_id = await execute(backend, tmp_path, Caller(), "atomic", holds="first")
            statuses.append((await backend.get(run_id, None)).status)

        group.start_soon(run)
        with anyio.fail_after(40):
            while not list(tmp_path.glob("attempt-*-first-*")):
                await anyio.sleep(0.01)
            await backend.stop()
            while not statuses:
                await anyio.sleep(0.01)
    assert statuses == ["cancelled"]


async def test_a_caller_detaches_from_a_stored_run_that_continues(tmp_path: Path) -> None:
    async with in_store(tmp_path) as backend:
        assert isinstance(backend, StoredRuns)
        caller = Caller(detach_after=0.1, metadata={"tool": "bake"})
        with pytest.raises(RunDetached) as detached:
            await execute(backend, tmp_path, caller, holds="first")
        run_id = detached.value.run_id
        assert (await backend.summary(run_id, None)).status == "running"
        assert await backend.metadata(run_id, None) == {"tool": "bake"}
        (tmp_path / "go").touch()
        with anyio.fail_after(40):
            assert (await backend.wait(run_id, None)).status == "success"
            await backend.drain()


async def test_the_service_keeps_dry_runs_in_memory_and_changes_in_the_store(tmp_path: Path) -> None:
    store = DurableConfig(f"sqlite:///{tmp_path}/runs.db", tmp_path)
    async with RunService(Workspace([tmp_path]), store, find=find).open() as runs:
        order = Order(folder=str(tmp_path))
        dry = await runs.execute(find("workflow").request(order, dry_run=True), Caller())
        assert not (tmp_path / "runs.db").exists()
        real = await runs.execute(find("workflow").request(order), Caller())
        assert isinstance(runs.backend(dry.id), MemoryRuns)
        assert isinstance(runs.backend(real.id), StoredRuns)
        assert {run.id for run in await runs.list_runs()} == {real.id, dry.id}
        assert await code_of(lambda: runs.backend(dry.id).roll_back(dry.id, Caller())) == "run.read_only"
        await runs.release(20)
