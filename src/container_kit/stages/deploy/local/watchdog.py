"""A process that completes or reverts a cutover if the deployer is killed during it.

While the port changes hands, no version serves for a moment. A killed process cannot restore the old version, so
another process waits on a pipe: a line means that the deployer is done, the end of the pipe without one that it died.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.to_thread

from container_kit.stages.deploy.local.container import Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.lock import hold_lock
from container_kit.stages.deploy.local.recovery import recover
from container_kit.stages.docker.engine import DockerEngine

# It imports nothing before it is needed, so that it takes no processor time from the version that starts.
_WAIT = f"""
import sys
deployment = sys.stdin.readline()
if deployment and not sys.stdin.readline():
    from {__name__} import recover_deployment
    recover_deployment(deployment)
"""
_DELAYS = (0.0, 0.5, 1.5)
"""Seconds before each recovery: a call of the dead deployer may still be in progress in the engine."""
_EXIT_SECONDS = 10


@asynccontextmanager
async def watchdog(containers: Containers, app: str) -> AsyncIterator[None]:
    """Run the block with a watchdog."""
    networks = containers.networks
    deployment = {
        "host": containers.engine.requested_host,
        "lock": containers.engine.host,
        "app": app,
        "public": networks.public,
        "staging": networks.staging,
    }
    process = await anyio.to_thread.run_sync(_start, json.dumps(deployment).encode() + b"\n")
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_dismiss, process)


def _start(deployment: bytes) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - a constant command
        [sys.executable, "-c", _WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a signal to the deployer's process group must not reach it
    )
    if process.stdin is not None:
        process.stdin.write(deployment)
        process.stdin.flush()
    return process


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError, subprocess.TimeoutExpired):
        process.communicate(b"done\n", timeout=_EXIT_SECONDS)
        return
    process.kill()
    process.communicate()


async def _recover(deployment: dict[str, Any]) -> None:
    containers = Containers(DockerEngine(deployment["host"]), Networks(deployment["public"], deployment["staging"]))
    async with hold_lock(deployment["lock"], deployment["app"]):
        for delay in _DELAYS:
            await anyio.sleep(delay)
            await recover(containers, deployment["app"])


def recover_deployment(deployment: str) -> None:
    """Complete or revert the cutover of a dead deployer."""
    anyio.run(_recover, json.loads(deployment))
