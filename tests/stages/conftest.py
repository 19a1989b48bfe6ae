"""Fixtures for several rooms of stages: registries, and a Docker configuration for each test."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def docker_config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Docker configuration, also without Podman's logins, so that a developer's credentials are not used."""
    folder = tmp_path_factory.mktemp("docker-config")
    for name in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "CONTAINER_KIT_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DOCKER_CONFIG", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(folder))
    return folder


@pytest.fixture
def log_in(docker_config: Path) -> Callable[..., None]:
    """Write Docker's configuration: `log_in(host, "user", "password")`, with further settings by name."""

    def write(host: str = "", username: str = "", password: str = "", **more: Any) -> None:
        auth = base64.b64encode(f"{username}:{password}".encode()).decode()
        auths = {"auths": {host: {"auth": auth}}} if host else {}
        (docker_config / "config.json").write_text(json.dumps(auths | more))

    return write
