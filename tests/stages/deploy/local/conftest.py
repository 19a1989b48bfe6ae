"""Images of small web applications, and applications deployed from them."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from docker import APIClient

from container_kit.stages.artifacts.image import Image
from container_kit.stages.docker.engine import DockerEngine
from support.engine.deployments import App
from support.engine.web_apps import web_image
from support.pipelines.contexts import Contexts

MakeImage = Callable[..., Image]


@pytest.fixture(scope="session")
def web() -> Iterator[MakeImage]:
    """Makes images of the program, each once: `web("v1")`, `web("sick", ["8000", "sick"])`."""
    repository = f"ck-test-web-{uuid.uuid4().hex[:8]}"
    made: dict[str, Image] = {}
    with contextlib.closing(APIClient(base_url=DockerEngine().host, version="auto", timeout=60)) as api:

        def make(version: str, command: Sequence[str] = ("8000",), **changes: Any) -> Image:
            if version not in made:
                made[version] = web_image(api, repository, version, command, **changes)
            return made[version]

        yield make
        for image in made.values():
            api.remove_image(image.reference, force=True)


@pytest.fixture
def app(engine: DockerEngine, docker_api: APIClient, ctx: Contexts, unique: Callable[[], str]) -> App:
    return App(unique(), engine, docker_api, ctx)
