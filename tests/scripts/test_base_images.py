"""The base images that a machine makes for itself when no registry answers, on an engine of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import APIClient

from support.engine.private_engine import PrivateEngine
from support.skip_policy import cannot_run

PROGRAM = Path(__file__).parents[2] / "scripts" / "base_images.py"

# What Dockerfiles expect of the public images, as commands that fail where it is not so.
EXPECTED = {
    "debian:bookworm-slim": ["grep -q 'Debian GNU/Linux 12' /etc/os-release", "test ! -e /usr/share/doc/apt/copyright"],
    "python:3.11-slim": [
        "test $(which python) = /usr/local/bin/python && test $(which pip) = /usr/local/bin/pip",
        "python --version | grep -q '3[.]11[.]'",
        "pip install -q --prefix=/install six && ls /install/lib/python3.11/site-packages/six.py",
        "pip install -q six && ls /usr/local/lib/python3.11/site-packages/six.py && python -c 'import six'",
        "pip install -q --user attrs && ls /root/.local/lib/python3.11/site-packages",
        "python -m venv /app && /app/bin/pip --version",
        "test -z \"$(find /var/lib/apt/lists /var/cache/apt -name '*.deb' -o -name '*Packages*' -o -name '*.bin')\"",
    ],
    "node:20-slim": [
        "node --version | grep -q '^v20[.]' && npm --version && npx --version && corepack --version",
        "test $(id -u node) = 1000",
        "cd /tmp && npm init -y && npm install --no-audit ms@2.1.3 && node -e 'require(\"ms\")'",
    ],
    "eclipse-temurin:17-jdk": [
        "$JAVA_HOME/bin/javac -version 2>&1 | grep -q 'javac 17[.]' && java -version",
    ],
}  # fmt: skip


def make(engine_host: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        env={**os.environ, "DOCKER_HOST": engine_host, **variables},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


def run(api: APIClient, image: str, script: str) -> None:
    host = api.create_host_config(network_mode="host")
    container = api.create_container(image, ["sh", "-ec", script], host_config=host)
    api.start(container)
    status = api.wait(container, timeout=60)["StatusCode"]
    assert status == 0, f"{image}: {script}\n{api.logs(container).decode()}"


@pytest.fixture
def bare(private_engine: Callable[..., PrivateEngine]) -> PrivateEngine:
    """An engine without an image, on a machine that can make some."""
    for program in ("apt-get", "mmdebstrap"):
        if shutil.which(program) is None:
            cannot_run(f"{program} is missing")
    return private_engine(outbound=True)


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_what_is_made_works_as_the_public_images_do_and_says_that_it_was_made(bare: PrivateEngine) -> None:
    done = make(bare.host)
    assert done.returncode == 0, done.stderr
    api = bare.api
    for image, scripts in EXPECTED.items():
        labels = api.inspect_image(image)["Config"]["Labels"]
        assert labels["io.container-kit.base-image.local"] == "true"
        assert (
            "bookworm" in labels["io.container-kit.base-image.source"]
            or "PyPI" in labels["io.container-kit.base-image.source"]
        )
        run(api, image, " && ".join(f"{{ {script}; }}" for script in scripts))
    before = {image: api.inspect_image(image)["Id"] for image in EXPECTED}
    again = make(bare.host)
    assert (again.returncode, again.stdout) == (0, ""), "a second run has nothing to do"
    assert before == {image: api.inspect_image(image)["Id"] for image in EXPECTED}


@pytest.mark.engine
def test_an_image_that_is_there_is_left_alone(bare: PrivateEngine) -> None:
    bare.import_tiny("debian:bookworm-slim")
    before = bare.api.inspect_image("debian:bookworm-slim")["Id"]
    assert make(bare.host, "--missing").stdout.split() == ["python:3.11-slim", "node:20-slim", "eclipse-temurin:17-jdk"]
    assert make(bare.host, "debian:bookworm-slim").returncode == 0
    assert bare.api.inspect_image("debian:bookworm-slim")["Id"] == before


@pytest.mark.engine
def test_a_build_that_fails_is_told_with_the_end_of_its_log(bare: PrivateEngine) -> None:
    bare.import_tiny("debian:bookworm-slim")  # it has no apt-get
    done = make(bare.host, "python:3.11-slim")
    assert done.returncode == 1
    assert "apt-get: not found" in done.stderr
    assert "Traceback" not in done.stderr
    assert bare.api.images() == [] or bare.api.images("python") == []


def test_without_an_engine_it_says_so_and_makes_nothing(tmp_path: Path) -> None:
    done = make(f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1
    assert "no answer from the engine" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_without_a_recipe_is_refused() -> None:
    done = make("unix:///nowhere", "alpine:3")
    assert done.returncode == 2
    assert "no recipe for alpine:3" in done.stderr
