"""Stores for durable runs: a SQLite file and a database of a real Postgres server."""

from __future__ import annotations

import multiprocessing
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from support.pipelines.postgres import Postgres
from support.skip_policy import cannot_run

Spawn = Callable[..., BaseProcess]

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["container_kit.pipelines.durable.service", "support.pipelines.bakery"])


@contextmanager
def _postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="ck-test-postgres-") as folder:
        try:
            server = Postgres(Path(folder))
        except FileNotFoundError as missing:
            cannot_run(str(missing))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres server for all tests of this process."""
    with _postgres() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that a test may stop."""
    with _postgres() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/home/runs.sqlite"


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    return postgres.create(f"t{uuid.uuid4().hex}")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def store_url(request: pytest.FixtureRequest) -> str:
    """Run a test once on each kind of store."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start functions in processes that end with the test."""
    started: list[BaseProcess] = []

    def start(target: Callable[..., None], *args: object) -> BaseProcess:
        process = _context.Process(target=target, args=args)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        if process.is_alive():
            process.kill()
        process.join(10)
