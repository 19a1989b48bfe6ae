"""The demo as a user runs it, on an engine of the test's own that has the base image."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import APIClient

from support.engine.private_engine import PrivateEngine
from support.skip_policy import cannot_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def set_up() -> None:
    """The demo's own set-up has nothing to do here; otherwise it would change the environment that tests run in."""
    if subprocess.run(["bash", "-c", ". scripts/lib.sh; is_set_up"], cwd=ROOT, check=False).returncode:
        cannot_run("the checkout is not set up: run scripts/test")


@pytest.mark.engine
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("set_up")
def test_the_demo_deploys_and_a_second_one_replaces_it(
    private_engine: Callable[..., PrivateEngine], docker_api: APIClient
) -> None:
    engine = private_engine(outbound=True)
    for image in ("debian:bookworm-slim", "python:3.11-slim"):
        engine.load(image, docker_api)
    before = example()

    first = engine.run(str(ROOT / "scripts/demo")).splitlines()
    url = address(first[-1])
    assert get(engine, f"{url}/?name=CI") == '{"message":"Hello, CI!"}'

    second = engine.run(str(ROOT / "scripts/demo")).splitlines()
    assert address(second[-1]) == url
    assert get(engine, f"{url}/healthz") == '{"status":"ok"}'
    running = engine.api.containers()
    assert len(running) == 1, [container["Names"] for container in running]
    assert example() == before, "the user's sources stay as they are"


def address(line: str) -> str:
    found = re.fullmatch(r"deployed: (http://127\.0\.0\.1:\d+)", line)
    assert found, line
    return found[1]


def get(engine: PrivateEngine, url: str) -> str:
    return engine.run("busybox", "wget", "-q", "-O", "-", url).strip()


def example() -> dict[str, bytes]:
    folder = ROOT / "examples/flask-hello"
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
