"""Owners: who lives holds its lock, and who died is noticed once and leaves nothing behind."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from container_kit.pipelines.durable.postgres_locks import PostgresLocks
from container_kit.pipelines.durable.process_locks import FileLocks
from container_kit.pipelines.durable.service import DurableRuns
from support.pipelines.bakery import find
from support.pipelines.postgres import Postgres


def test_one_who_lives_is_not_taken_over_and_one_who_closed_is_dead(tmp_path: Path) -> None:
    one, other = FileLocks(tmp_path), FileLocks(tmp_path)
    with other.take_over(one.me) as dead:
        assert not dead
    assert other.others() == {one.me}
    one.close()
    with other.take_over(one.me) as dead:
        assert dead
    assert other.others() == set()
    other.close()


def test_only_one_at_a_time_is_told_that_an_owner_is_dead(tmp_path: Path) -> None:
    one, other = FileLocks(tmp_path), FileLocks(tmp_path)
    (tmp_path / "host-1-gone").touch()
    with one.take_over("host-1-gone") as first, other.take_over("host-1-gone") as second:
        assert (first, second) == (True, False)
    one.close()
    other.close()


def test_a_lock_file_that_is_removed_while_its_owner_waits_for_it_is_made_anew(tmp_path: Path) -> None:
    name = "host-2-new"
    made: list[FileLocks] = []
    looking = (tmp_path / name).open("w")
    fcntl.flock(looking, fcntl.LOCK_EX)
    owner = threading.Thread(target=lambda: made.append(FileLocks(tmp_path, name)))
    owner.start()
    (tmp_path / name).unlink()
    looking.close()
    owner.join(20)
    other = FileLocks(tmp_path)
    with other.take_over(name) as dead:
        assert not dead
    made[0].close()
    other.close()


@pytest.mark.anyio
async def test_the_lock_of_one_who_died_without_runs_is_cleared_away(sqlite_url: str, home: Path) -> None:
    folder = home / "owners"
    folder.mkdir()
    (folder / "host-3-dead").touch()
    assert FileLocks.any_dead(folder)
    async with DurableRuns(sqlite_url, home, find=find).opened():
        with anyio.fail_after(30):
            while (folder / "host-3-dead").exists():
                await anyio.sleep(0.01)
    assert not FileLocks.any_dead(folder)


@pytest.mark.integration
def test_an_owner_lives_on_after_its_database_was_away_for_several_looks(own_postgres: Postgres) -> None:
    url = sa.make_url(own_postgres.create("owners")).set(drivername="postgresql+psycopg")
    one = PostgresLocks(url)
    own_postgres.stop()
    for _ in range(3):
        with pytest.raises(sa.exc.SQLAlchemyError):
            one.stay_alive()
    own_postgres.start()
    one.stay_alive()
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as another:
        ours = another.scalar(sa.text("SELECT pg_try_advisory_lock(hashtextextended(:owner, 7))"), {"owner": one.me})
    assert ours is False
    one.close()
