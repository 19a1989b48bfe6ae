"""A process that deploys and dies as by a power cut, right before or after a call on the engine."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import anyio
from docker import APIClient

from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.deploy.local.stage import Deploy
from container_kit.stages.docker.engine import DockerEngine
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute


class _DyingClient:
    """The SDK's client; the process dies at one of its calls."""

    def __init__(self, client: APIClient, call: str, when: str) -> None:
        self._client, self._call, self._when = client, call, when

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return method if name != self._call else lambda *a, **k: self._die(method, *a, **k)

    def _die(self, method: Any, *arguments: Any, **options: Any) -> None:
        if self._when == "after":
            method(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)


class DyingEngine(DockerEngine):
    """An engine whose caller dies at one of its calls."""

    def __init__(self, call: str, when: str) -> None:
        super().__init__()
        self._dies = (call, when)

    async def call(self, work: Any) -> Any:
        return await super().call(lambda api: work(_DyingClient(api, *self._dies)))


def deploy_and_die(call: str, when: str, image: str, options: str, run_id: str) -> None:
    """Deploy; for `multiprocessing`. Image and options are JSON."""
    ctx = Contexts(run_id, Workspace([Path("/")]))()
    stage = Deploy(DyingEngine(call, when))
    made, chosen = Image.model_validate_json(image), DeployOptions.model_validate_json(options)
    anyio.run(execute, stage, ctx, made, chosen)
