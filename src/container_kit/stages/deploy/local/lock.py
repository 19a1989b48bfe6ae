"""One deployment of an application at a time on this machine, by a file lock that ends with its process."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from filelock import FileLock, Timeout

from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.paths import state_folder

BUSY = FaultCode(
    "deploy.busy",
    means="Another deployment of the same application is in progress.",
    hint="Wait for it to end, then deploy {app} again.",
    retryable=True,
)

_POLL_SECONDS = 0.05


@asynccontextmanager
async def hold_lock(engine_host: str, app: str, wait: float = 60) -> AsyncIterator[None]:
    """Hold an application's lock.

    Raises:
        StageFailure: `deploy.busy`, after `wait` seconds.
    """
    lock = FileLock(_path(engine_host, app), timeout=0, mode=0o600)
    deadline = anyio.current_time() + wait
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            if anyio.current_time() > deadline:
                raise BUSY(f"another deployment of {app} is in progress", retry_after=30, app=app) from None
        await anyio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _path(engine_host: str, app: str) -> Path:
    folder = state_folder() / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = hashlib.sha256(engine_host.encode()).hexdigest()[:12]
    return folder / f"{engine}-{app}.lock"
