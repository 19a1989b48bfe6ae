"""A process that finishes what a deployment began, should that be killed in the middle of a swap.

While the port changes hands nobody serves for a moment. A killed process cannot put the old version back, so that
another one waits at a pipe: a line means that all went well, the pipe's end without one that the deployer is dead.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import anyio.to_thread

from container_kit.stages.deploy.local.container import Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.lock import held
from container_kit.stages.deploy.local.recovery import recover
from container_kit.stages.docker.engine import DockerEngine

# Nothing is imported unless it is needed: the guard must not take the processor from the version that starts.
_WAIT = """
import sys
wish = sys.stdin.readline()
if wish and not sys.stdin.readline():
    from container_kit.stages.deploy.guard import put_right
    put_right(wish)
"""
_LOOKS = (0.0, 0.5, 1.5)
"""Seconds before each look: Engine may still be at work on a call of the dead, whose effect shows only then."""


@asynccontextmanager
async def guarded(containers: Containers, app: str) -> AsyncIterator[None]:
    """Have a guard for the time of the block."""
    networks = containers.networks
    wish = {"host": containers.engine.host, "app": app, "front": networks.front, "out": networks.out}
    process = await anyio.to_thread.run_sync(_started, json.dumps(wish).encode() + b"\n")
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_dismissed, process)


def _started(wish: bytes) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", _WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a signal to our group must not reach it
    )
    if process.stdin is not None:
        process.stdin.write(wish)
        process.stdin.flush()
    return process


def _dismissed(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError, subprocess.TimeoutExpired):
        process.communicate(b"done\n", timeout=10)
        return
    process.kill()
    process.communicate()


async def _watch(wish: dict[str, str]) -> None:
    containers = Containers(DockerEngine(wish["host"]), Networks(wish["front"], wish["out"]))
    async with held(wish["host"], wish["app"]):
        for pause in _LOOKS:
            await anyio.sleep(pause)
            await recover(containers, wish["app"])


def put_right(wish: str) -> None:
    """Finish what a dead deployer began."""
    anyio.run(_watch, json.loads(wish))
