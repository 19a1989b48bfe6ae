"""The store: its faults are reported, and its content is never executed."""

from __future__ import annotations

import base64
import pickle
import sqlite3
import stat
import subprocess
import threading
from contextlib import closing, suppress
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from container_kit import StageFailure
from container_kit.pipelines.durable import store
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.stages.contract.workspace import Workspace
from support.pipelines.bakery import Order, effects, find

pytestmark = pytest.mark.anyio


async def code_of_opening(url: str, home: Path) -> str:
    try:
        async with DurableRuns(DurableConfig(url, home, find=find)).open():
            return "opened"
    except StageFailure as failure:
        return failure.fault.code


async def test_other_users_cannot_read_the_folder_of_the_store(tmp_path: Path) -> None:
    home = tmp_path / "new"
    assert await code_of_opening(f"sqlite:///{home}/runs.sqlite", home) == "opened"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


async def test_many_threads_open_a_new_store_at_the_same_time(store_url: str) -> None:
    barrier = threading.Barrier(8)

    def open_store() -> None:
        barrier.wait(30)
        store.connect(store_url).dispose()

    async with anyio.create_task_group() as tasks:
        for _ in range(barrier.parties):
            tasks.start_soon(anyio.to_thread.run_sync, open_store)


def test_opening_waits_for_another_process_that_writes_the_new_file(home: Path) -> None:
    with closing(sqlite3.connect(home / "runs.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opened: list[sa.Engine] = []
        opening = threading.Thread(target=lambda: opened.append(store.connect(f"sqlite:///{home}/runs.sqlite")))
        opening.start()
        opening.join(0.2)
        assert opening.is_alive(), "SQLite would have failed by now"
        other.execute("COMMIT")
        opening.join(30)
    [engine] = opened
    engine.dispose()


async def test_a_file_that_is_not_a_database_is_a_fault(home: Path) -> None:
    (home / "runs.sqlite").write_bytes(b"not a database" * 100)
    assert await code_of_opening(f"sqlite:///{home}/runs.sqlite", home) == "store.corrupt"


async def test_a_damaged_database_is_a_fault(home: Path) -> None:
    path = home / "runs.sqlite"
    assert await code_of_opening(f"sqlite:///{path}", home) == "opened"
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8000)
    assert await code_of_opening(f"sqlite:///{path}", home) == "store.corrupt"


async def test_a_store_of_a_newer_version_is_a_fault(home: Path) -> None:
    path = home / "runs.sqlite"
    await code_of_opening(f"sqlite:///{path}", home)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE container_kit_layout SET version = 99")
    connection.close()
    assert await code_of_opening(f"sqlite:///{path}", home) == "store.newer"


@pytest.mark.integration
async def test_a_read_only_store_is_a_fault(small_disk: Path) -> None:
    subprocess.run(["/usr/bin/mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert await code_of_opening(f"sqlite:///{small_disk}/runs.sqlite", small_disk) == "store.read_only"


@pytest.mark.integration
async def test_a_full_disk_is_a_fault(small_disk: Path) -> None:
    with suppress(OSError):
        (small_disk / "filler").write_bytes(b"x" * 3_000_000)
    assert await code_of_opening(f"sqlite:///{small_disk}/runs.sqlite", small_disk) in (
        "store.disk_full",
        "store.read_only",
    )


@pytest.mark.integration
async def test_a_disk_that_fills_up_during_a_run_loses_nothing(small_disk: Path, home: Path) -> None:
    filler = small_disk / "filler"
    async with DurableRuns(DurableConfig(f"sqlite:///{small_disk}/runs.sqlite", small_disk, find=find)).open() as runs:
        request = find("workflow").request(Order(folder=str(home), holds="second"))
        run_id = await runs.start(request, Workspace([home]))
        while not list(home.glob(f"attempt-{run_id}-second-*")):
            await anyio.sleep(0.01)
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        (home / "go").touch()
        with pytest.raises(StageFailure) as caught, anyio.fail_after(20):
            await runs.wait(run_id)
        assert caught.value.fault.code == "store.disk_full"
        filler.unlink()
        with anyio.fail_after(30):
            assert (await runs.wait(run_id)).status == "success"
        assert effects(home, run_id) == ["first", "second", "third"]


async def test_a_database_that_does_not_respond_is_a_fault(home: Path) -> None:
    with anyio.fail_after(20):
        assert await code_of_opening("postgresql://nobody@127.0.0.1:1/none", home) == "store.unreachable"


async def test_a_fault_never_contains_the_password_of_the_database() -> None:
    with pytest.raises(StageFailure) as caught:
        store.connect("postgresql://nobody:hunter2hunter2@127.0.0.1:1/none")
    assert "hunter2" not in caught.value.fault.model_dump_json()


class Exploit:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("table", ["operation_outputs", "workflow_status"])
async def test_a_pickled_row_is_never_unpickled(sqlite_url: str, home: Path, table: str) -> None:
    mark = home / "exploited"
    payload = base64.b64encode(pickle.dumps(Exploit(mark))).decode()
    assert pickle.loads(base64.b64decode(payload)) is None  # noqa: S301 - shows that the exploit works
    assert mark.exists()
    mark.unlink()
    async with DurableRuns(DurableConfig(sqlite_url, home, find=find)).open() as runs:
        run_id = await runs.start(find("workflow").request(Order(folder=str(home))), Workspace([home]))
        await runs.wait(run_id)
        column = "output" if table == "operation_outputs" else "inputs"
        with store.connect(sqlite_url).begin() as connection:
            connection.execute(
                sa.text(f"UPDATE {table} SET {column} = :payload, serialization = 'py_pickle'"),  # noqa: S608 - two literals
                {"payload": payload},
            )
        for read in (runs.queries.get, runs.queries.steps, runs.artifacts, runs.retry, runs.roll_back):
            with suppress(Exception):  # any exception is fine if nothing is executed
                await read(run_id)
    assert not mark.exists()


async def test_another_error_of_the_database_is_a_fault(home: Path) -> None:
    path = home / "runs.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE container_kit_layout (other TEXT)")
    connection.close()
    assert await code_of_opening(f"sqlite:///{path}", home) == "store.error"
