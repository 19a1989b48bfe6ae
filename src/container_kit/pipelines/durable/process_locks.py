"""Owners: each process that executes runs holds a lock for as long as it lives, so that others know when it died."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol


def new_owner_id() -> str:
    """An id that no other process has."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


_PATTERN = "*-*-*"


class ProcessLocks(Protocol):
    """The locks of all owners on one store."""

    me: str

    def take_over(self, owner: str) -> AbstractContextManager[bool]:
        """A context that tells whether the owner is dead; while it lasts, nobody else is told so."""
        ...

    def others(self) -> set[str]:
        """The owners that left a trace and may be dead, beside those that the journal names."""
        ...

    def stay_alive(self) -> None:
        """Make sure that the own lock is held; called often."""
        ...

    def close(self) -> None:
        """Release the own lock."""
        ...


class FileOwners:
    """Locks on files in a folder beside a SQLite store; the kernel drops a dead process's lock at once.

    Args:
        folder: Where the files are.
        me: The own id; by default one that nobody else has.
    """

    def __init__(self, folder: Path, me: str | None = None) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self.me = me or new_owner_id()
        self._lock = _held(folder / self.me)

    @contextmanager
    def take_over(self, owner: str) -> Iterator[bool]:
        """Tell whether the owner is dead. A missing file is a dead owner too."""
        lock = os.open(self._folder / Path(owner).name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
            (self._folder / Path(owner).name).unlink(missing_ok=True)
        finally:
            os.close(lock)

    def others(self) -> set[str]:
        """Those whose lock file is there; one that was left behind has every later process open the store at once."""
        return {path.name for path in self._folder.glob(_PATTERN)} - {self.me}

    def stay_alive(self) -> None:
        """Nothing: the kernel holds the lock until the process ends."""

    def close(self) -> None:
        """Release the own lock and its file."""
        (self._folder / self.me).unlink(missing_ok=True)
        os.close(self._lock)

    @staticmethod
    def any_dead(folder: Path) -> bool:
        """Tell cheaply, without opening the store, whether some process left its lock file behind."""
        for path in folder.glob(_PATTERN) if folder.is_dir() else ():
            with contextlib.suppress(BlockingIOError, FileNotFoundError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        return False


def _held(path: Path) -> int:
    """Lock the file at a path. Whoever looks whether its owner is dead has it for a moment, and may remove it."""
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)
