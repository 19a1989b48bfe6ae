"""Applications that tests deploy, and requests to them."""

from __future__ import annotations

import http.client
from typing import Any

from docker import APIClient

from container_kit.stages.artifacts.deployment import Deployment, DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.deploy.local.stage import Deploy
from container_kit.stages.docker.engine import DockerEngine
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute


class App:
    """One application of a test, deployed from changing images."""

    def __init__(self, name: str, engine: DockerEngine, api: APIClient, ctx: Contexts) -> None:
        self.name = name
        self.engine, self.api, self.ctx = engine, api, ctx
        self.stage = Deploy(engine)
        self._runs = 0

    async def deploy(self, image: Image, **options: Any) -> Deployment:
        """Deploy in a run of its own."""
        self._runs += 1
        chosen = DeployOptions(**{"name": self.name, "health_timeout": 15.0, "memory_mb": 128} | options)
        ctx = self.ctx(run_id=f"{self.name}-{self._runs}")
        return await execute(self.stage, ctx, image, chosen)

    def containers(self) -> list[dict[str, Any]]:
        """As the engine lists them, the newest first."""
        found: list[dict[str, Any]] = self.api.containers(
            all=True, filters={"label": f"io.container-kit.app={self.name}"}
        )
        return found

    def running(self) -> list[str]:
        """The names of those that run."""
        return [one["Names"][0].lstrip("/") for one in self.containers() if one["State"] == "running"]


def get(port: int, path: str = "/") -> str:
    """GET from 127.0.0.1; the body, or the error's name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()
