"""Process locks: a living process holds its lock, and the death of a process is detected once."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.postgres_locks import PostgresLocks
from container_kit.pipelines.durable.process_locks import FileLocks
from container_kit.pipelines.durable.service import DurableRuns
from support.pipelines.bakery import find
from support.pipelines.postgres import Postgres


def test_a_living_process_is_not_dead_and_a_closed_one_is(tmp_path: Path) -> None:
    locks, other = FileLocks(tmp_path), FileLocks(tmp_path)
    with other.probe(locks.executor_id) as dead:
        assert not dead
    assert other.leftovers() == {locks.executor_id}
    locks.close()
    with other.probe(locks.executor_id) as dead:
        assert dead
    assert other.leftovers() == set()
    other.close()


def test_only_one_process_at_a_time_detects_a_death(tmp_path: Path) -> None:
    locks, other = FileLocks(tmp_path), FileLocks(tmp_path)
    (tmp_path / "host-1-gone").touch()
    with locks.probe("host-1-gone") as first, other.probe("host-1-gone") as second:
        assert (first, second) == (True, False)
    locks.close()
    other.close()


def test_a_lock_file_that_is_removed_by_another_process_is_created_again(tmp_path: Path) -> None:
    name = "host-2-new"
    created: list[FileLocks] = []
    probing = (tmp_path / name).open("w")
    fcntl.flock(probing, fcntl.LOCK_EX)
    process = threading.Thread(target=lambda: created.append(FileLocks(tmp_path, name)))
    process.start()
    (tmp_path / name).unlink()
    probing.close()
    process.join(20)
    other = FileLocks(tmp_path)
    with other.probe(name) as dead:
        assert not dead
    created[0].close()
    other.close()


@pytest.mark.anyio
async def test_the_lock_file_of_a_dead_process_without_runs_is_removed(sqlite_url: str, home: Path) -> None:
    folder = home / "processes"
    folder.mkdir()
    (folder / "host-3-dead").touch()
    assert FileLocks.has_dead_process(folder)
    async with DurableRuns(DurableConfig(sqlite_url, home, find=find)).open():
        with anyio.fail_after(30):
            while (folder / "host-3-dead").exists():
                await anyio.sleep(0.01)
    assert not FileLocks.has_dead_process(folder)


@pytest.mark.integration
def test_a_process_keeps_its_lock_after_several_failed_attempts_to_reach_the_database(own_postgres: Postgres) -> None:
    url = sa.make_url(own_postgres.create("locks")).set(drivername="postgresql+psycopg")
    locks = PostgresLocks(url)
    own_postgres.stop()
    for _ in range(3):
        with pytest.raises(sa.exc.SQLAlchemyError):
            locks.renew()
    own_postgres.start()
    locks.renew()
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as another:
        query = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:id, 7))")
        acquired = another.scalar(query, {"id": locks.executor_id})
    assert acquired is False
    locks.close()
