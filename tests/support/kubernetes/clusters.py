"""The cluster that a test deploys to: an emulated one, or with KUBECONFIG a real one in a namespace of the test's own.

CONTAINER_KIT_TEST_IMAGE names an image that answers HTTP on port 8080 as a user other than root and has a shell.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from container_kit.stages.deploy.kubernetes.cluster.api import connect
from support.kubernetes.api_server import ApiServer

REAL = os.environ.get("KUBECONFIG")
IMAGE = os.environ.get("CONTAINER_KIT_TEST_IMAGE", "docker.io/nginxinc/nginx-unprivileged:stable-alpine")
CRASHES = ("/bin/sh", "-c", "echo 'RuntimeError: DATABASE_URL is not set' >&2; exit 3")


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace of a cluster."""

    kubeconfig: str
    namespace: str

    def image(self, behaves: str) -> str:
        """The real image; for the emulated cluster one that is named after the stream to replay."""
        return IMAGE if REAL else f"registry.test/{behaves}:1"


@contextlib.asynccontextmanager
async def place(folder: Path) -> AsyncIterator[Place]:
    """A namespace that is not there yet; whatever is in it afterwards is deleted with it."""
    namespace = f"ck-test-{uuid.uuid4().hex[:8]}"
    if not REAL:
        with ApiServer().serving() as server:
            config = folder / "kubeconfig"
            config.write_text(server.kubeconfig())
            yield Place(str(config), namespace)
        return
    try:
        yield Place(REAL, namespace)
    finally:
        async with connect(None, REAL) as api:
            await api.delete(f"/api/v1/namespaces/{namespace}")
