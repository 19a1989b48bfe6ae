"""Generated Dockerfiles really build, and what they build answers: unprivileged, on a read-only root file system."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import requests
from docker import APIClient

from container_kit.stages.analyze import Analyze
from container_kit.stages.artifacts.dockerfile import Dockerfile, DockerfileOptions
from container_kit.stages.artifacts.image import BuildOptions, Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.dockerfile import WriteDockerfile
from stages.dockerfile.gate import check
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(480)]

APPS = Path(__file__).parent / "apps"
ANSWERS = {
    "flask-pip": "hello from flask",
    "fastapi-uv": '"from fastapi"',
    "flask-poetry": "hello from poetry",
    "express-npm": "hello from express",
    "fastify-pnpm": '"from fastify"',
    "koa-yarn": "hello from koa",
    "vite-site": "hello from vite",
    "next-site": "hello from next",
    "go-service": "hello from go",
    "java-service": "hello from java",
    "plain-site": "hello from a plain site",
    "django-pip": "hello from django",
    "shop-pnpm/apps/api": "the workspace, without what only the build needed",
    "shop-npm/apps/api": "a member of a workspace of npm, 3 coins",
    "shop-uv/services/api": "a member of a workspace of uv, 3 coins",
    "shop-go/services/api": "a member of a workspace of go, 3 coins",
    "cpp-service": "hello from C++ with zlib",
}
"""What each application says at `/`; a path names the module of a workspace."""


@pytest.mark.parametrize("app", ANSWERS)
async def test_a_generated_dockerfile_builds_and_answers(
    app: str, tmp_path: Path, engine: DockerEngine, docker_api: APIClient, ctx: Contexts, unique: Callable[[], str]
) -> None:
    root, _, module = app.partition("/")
    source = Source(path=str(shutil.copytree(APPS / root, tmp_path / root)), module=module or ".")
    made, image = await _build(ctx, engine, source, unique())
    check(made, tmp_path / root, _manifests(made))
    with _running(docker_api, image, made) as (container, url):
        answer = await anyio.to_thread.run_sync(_answer, docker_api, container, url)
        assert answer.status_code == 200
        assert ANSWERS[app] in answer.text
        assert _health_check(docker_api, container, image) == 0


async def _build(
    ctx: Contexts, engine: DockerEngine, source: Source, tag: str, options: DockerfileOptions | None = None
) -> tuple[Dockerfile, Image]:
    analysis = await Analyze().execute(ctx(stage="analyze"), source)
    made = await WriteDockerfile(engine=engine).execute(ctx(stage="write-dockerfile"), source, analysis, options)
    image = await execute(BuildImage(engine), ctx(stage="build"), source, BuildOptions(tag=tag), made)
    return made, image


def _manifests(made: Dockerfile) -> tuple[str, ...]:
    """The lockfiles among what is copied by name."""
    words = made.content.split()
    return tuple(
        name for name in ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "uv.lock", "poetry.lock") if name in words
    )


@contextmanager
def _running(api: APIClient, image: Image, made: Dockerfile) -> Iterator[tuple[str, str]]:
    """Run an image as strictly as a deployment may."""
    strict: dict[str, Any] = {
        "port_bindings": {made.port: ("127.0.0.1", None)},
        "read_only": True,
        "tmpfs": {"/tmp": ""},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": "512m",
    }
    container = api.create_container(image.id, ports=[made.port], host_config=api.create_host_config(**strict))["Id"]
    try:
        api.start(container)
        port = api.port(container, made.port)[0]["HostPort"]
        yield container, f"http://127.0.0.1:{port}/"
    finally:
        api.remove_container(container, force=True, v=True)


def _answer(api: APIClient, container: str, url: str) -> requests.Response:
    """Ask until the application answers, for at most 30 seconds."""
    end = time.monotonic() + 30
    while True:
        try:
            return requests.get(url, timeout=5)
        except requests.RequestException:
            alive = api.inspect_container(container)["State"]["Running"]
            waiting = alive and time.monotonic() < end
            assert waiting, api.logs(container).decode()[-3000:]


def _health_check(api: APIClient, container: str, image: Image) -> int:
    """Run the image's own health check once, now, and return its exit code."""
    test = api.inspect_image(image.id)["Config"]["Healthcheck"]["Test"]
    assert test[0] == "CMD"
    command = api.exec_create(container, test[1:])["Id"]
    api.exec_start(command)
    return int(api.exec_inspect(command)["ExitCode"])
