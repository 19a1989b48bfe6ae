"""One deployment of an application at a time on this machine, by a file lock that dies with its process."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from container_kit.stages.contract.fault import FaultCode

BUSY = FaultCode(
    "deploy.busy",
    means="Another deployment of the same application is at work.",
    hint="Wait for it to end, then deploy {app} again.",
    retryable=True,
)

_ASK_EVERY = 0.05


@asynccontextmanager
async def held(engine_host: str, app: str, wait: float = 60) -> AsyncIterator[None]:
    """Hold an application's lock.

    Raises:
        StageFailure: `deploy.busy`, after `wait` seconds.
    """
    path = _path(engine_host, app)
    deadline = anyio.current_time() + wait
    while (descriptor := _taken(path)) is None:
        if anyio.current_time() > deadline:
            raise BUSY(f"another deployment of {app} is at work", retry_after=30, app=app)
        await anyio.sleep(_ASK_EVERY)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _path(engine_host: str, app: str) -> Path:
    folder = Path(tempfile.gettempdir()) / f"container-kit-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    which = hashlib.sha256(engine_host.encode()).hexdigest()[:12]
    return folder / f"{which}-{app}.lock"


def _taken(path: Path) -> int | None:
    # flock(2): the lock belongs to the open file and goes with it, however the process ends.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):  # held, or its holder has just removed the file
        pass
    os.close(descriptor)
    return None
