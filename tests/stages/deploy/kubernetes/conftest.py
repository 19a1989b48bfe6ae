"""An emulated cluster for each test, with a kubeconfig that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.kubernetes.api_server import ApiServer


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    """An emulated API server with the namespaces `default` and `shop`."""
    with ApiServer().serving() as server:
        yield server


@pytest.fixture
def kubeconfig(cluster: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A kubeconfig for the emulated cluster; its namespace is `shop`."""
    path: Path = tmp_path_factory.mktemp("kube") / "config"
    path.write_text(cluster.kubeconfig())
    return str(path)
