"""Real registries, a small image to push, and an environment without credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from container_kit.stages.artifacts.image import Image
from support.engine.registry import Registry
from support.scan.planted_packages import random_layer


@pytest.fixture(autouse=True)
def _without_credentials(docker_config: Path) -> None:
    """Each test starts without credentials."""


@pytest.fixture
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Registry]]:
    """Starts registries: `registry()`, `registry({"user": "password"})`, `registry(delete=False)`."""
    started: list[Registry] = []

    def start(users: dict[str, str] | None = None, **options: Any) -> Registry:
        made = Registry(tmp_path_factory.mktemp("registry"), users, **options)
        started.append(made)
        return made.start()

    yield start
    for made in started:
        made.kill()


@pytest.fixture
def image(docker_api: APIClient, unique: Callable[[], str]) -> Callable[..., Image]:
    """Makes an image with content of its own: `image()`, `image(megabytes=40)`."""

    def make(megabytes: float = 0.01) -> Image:
        name = unique()
        docker_api.import_image_from_data(random_layer(megabytes), repository=f"{name}:1")
        return Image(id=docker_api.inspect_image(f"{name}:1")["Id"], reference=f"{name}:1")

    return make
