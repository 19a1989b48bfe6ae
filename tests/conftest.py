"""Fixtures for all rooms. Unit tests need no Docker Engine; what does is marked `engine`."""

from __future__ import annotations

from support import simulation_option  # first: it changes what the modules of Container Kit see

# isort: split
import contextlib
import functools
import subprocess
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import DockerException

from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.docker.engine import DockerEngine
from street.report import StreetReport
from support.engine.cleanup import sweep
from support.engine.private_engine import PrivateEngine, can_have_private_engines
from support.engine.tiny_image import import_tiny_image
from support.pipelines.contexts import Contexts
from support.skip_policy import IN_CI, cannot_run


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="run the stress tests too")
    parser.addoption("--simulate", metavar="PLATFORM", help="run as on another platform: darwin or win32")
    parser.addoption("--street", action="store_true", help="deploy every application of tests/street, not only a few")
    parser.addoption("--update-snapshots", action="store_true", help="write generated pages and schema snapshots")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(StreetReport(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        only = item.get_closest_marker("platforms")
        if only and (simulation_option.platform or sys.platform) not in only.args:
            item.add_marker(pytest.mark.skip(reason=f"a property of {', '.join(only.args)}"))
    if config.getoption("--run-slow"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run it with --run-slow"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a skipped integration test is a failed one, unless it is a stress run."""
    report = yield
    real = any(item.get_closest_marker(name) for name in ("engine", "integration"))
    if IN_CI and real and report.skipped and not item.get_closest_marker("slow") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {report.longrepr}"
    return report


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the state of this process's stages in a temporary folder, and send nothing to OSV."""
    monkeypatch.setenv("CONTAINER_KIT_HOME", str(tmp_path_factory.getbasetemp() / "state"))
    monkeypatch.setenv("CONTAINER_KIT_OSV_API", "off")


@functools.cache
def _why_no_engine() -> str | None:
    try:
        with contextlib.closing(APIClient(base_url=DockerEngine().host, version="auto", timeout=30)) as api:
            api.ping()
    except (DockerException, OSError) as error:
        return f"no Docker Engine answers at {DockerEngine().host}: {error}"
    return None


@pytest.fixture
def docker_api() -> Iterator[APIClient]:
    """The SDK's low-level client on the machine's engine."""
    if reason := _why_no_engine():
        cannot_run(reason)
    with contextlib.closing(APIClient(base_url=DockerEngine().host, version="auto", timeout=60)) as api:
        yield api


@pytest.fixture
def engine(docker_api: APIClient) -> Iterator[DockerEngine]:  # noqa: ARG001 - it finds out whether there is one
    """Our adapter on the machine's engine."""
    with contextlib.closing(DockerEngine()) as engine:
        yield engine


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Gives names `ck-test-…`. At the end of the test, whatever the engine holds under them is removed."""
    names: list[str] = []

    def name() -> str:
        names.append(f"ck-test-{uuid.uuid4().hex[:10]}")
        return names[-1]

    uses_engine = request.node.get_closest_marker("engine") or "docker_api" in request.fixturenames
    api = request.getfixturevalue("docker_api") if uses_engine else None
    yield name
    if api is not None:
        sweep(api, names, request.node.funcargs.get("tmp_path"))


@pytest.fixture(scope="session")
def tiny_image() -> Iterator[str]:
    """The name of a small image with busybox on the machine's engine."""
    if reason := _why_no_engine():
        cannot_run(reason)
    reference = f"ck-test-tiny-{uuid.uuid4().hex[:10]}:1"
    with contextlib.closing(APIClient(base_url=DockerEngine().host, version="auto", timeout=60)) as api:
        import_tiny_image(api, reference)
        yield reference
        api.remove_image(reference, force=True)


@pytest.fixture
def private_engine() -> Iterator[Callable[..., PrivateEngine]]:
    """Starts Docker Engines of the test's own: `private_engine()`, `(disk_mb=64)`, `(outbound=True)`."""
    if reason := can_have_private_engines():
        cannot_run(reason)
    started: list[PrivateEngine] = []

    def start(disk_mb: int | None = None, *, outbound: bool = False) -> PrivateEngine:
        engine = PrivateEngine(disk_mb, outbound=outbound)
        started.append(engine)
        engine.open()
        engine.start()
        return engine

    yield start
    for engine in started:
        engine.remove()


@pytest.fixture
def match_snapshot(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a file with its expected text; with `--update-snapshots`, write the file."""

    def match(path: Path, expected: str) -> None:
        if request.config.getoption("--update-snapshots"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(expected, "utf-8")
        assert path.exists(), f"{path.name} is missing: run pytest --update-snapshots and review the difference"
        outdated = f"{path.name} is outdated: run pytest --update-snapshots and review the difference"
        assert path.read_text("utf-8") == expected, outdated

    return match


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace whose only root is the test's own folder."""
    return Workspace([tmp_path])


@pytest.fixture
def ctx(unique: Callable[[], str], workspace: Workspace) -> Contexts:
    """Makes stage contexts (`ctx()`, `ctx(dry_run=True)`) and keeps their progress and output."""
    return Contexts(unique(), workspace)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        cannot_run(f"no file system can be mounted here: {made.stderr!r}")
    yield folder
    subprocess.run(["/usr/bin/umount", "-l", str(folder)], check=True)
