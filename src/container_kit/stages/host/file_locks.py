"""Exclusive locks on open files, which the kernel releases when their process ends."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
    import time

    _FLAGS = os.O_CREAT | os.O_RDWR
    _POLL_SECONDS = 0.05

    def try_lock(descriptor: int) -> bool:
        """Lock an open file; False if another open file has the lock."""
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def lock(descriptor: int) -> None:
        """Wait for the lock of an open file."""
        while not try_lock(descriptor):
            time.sleep(_POLL_SECONDS)

    def close_and_remove(descriptor: int, path: Path) -> None:
        """Remove a locked file and release its lock. An open file cannot be removed here, so it is closed first."""
        os.close(descriptor)
        with suppress(OSError):  # another process has it open, and removes it
            path.unlink(missing_ok=True)

else:
    import fcntl

    _FLAGS = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC

    def try_lock(descriptor: int) -> bool:
        """Lock an open file; False if another open file has the lock."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(descriptor: int) -> None:
        """Wait for the lock of an open file."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def close_and_remove(descriptor: int, path: Path) -> None:
        """Remove a locked file and release its lock, in this order: nobody locks a file that is about to vanish."""
        path.unlink(missing_ok=True)
        os.close(descriptor)


def open_lock_file(path: Path) -> int:
    """Open a lock file; create it if it does not exist."""
    return os.open(path, _FLAGS, 0o600)


def acquire_lock_file(path: Path) -> int:
    """Open and lock the file at a path. A process that probes for a dead one may remove it at the same time."""
    while True:
        descriptor = open_lock_file(path)
        lock(descriptor)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)
