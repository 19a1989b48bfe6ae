"""Owners: each process that executes runs holds a lock for as long as it lives, so that others know when it died."""

from __future__ import annotations

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


class Owners(Protocol):
    """The locks of all owners on one store."""

    me: str

    def take_over(self, owner: str) -> AbstractContextManager[bool]:
        """A context that tells whether the owner is dead; while it lasts, nobody else is told so."""
        ...

    def stay_alive(self) -> None:
        """Make sure that the own lock is held; called often."""
        ...

    def close(self) -> None:
        """Release the own lock."""
        ...


class FileOwners:
    """Locks on files in a folder beside a SQLite store; the kernel drops a dead process's lock at once."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self.me = new_owner_id()
        self._lock = os.open(folder / self.me, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

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

    def stay_alive(self) -> None:
        """Nothing: the kernel holds the lock until the process ends."""

    def close(self) -> None:
        """Release the own lock and its file."""
        (self._folder / self.me).unlink(missing_ok=True)
        os.close(self._lock)

    @staticmethod
    def any_dead(folder: Path) -> bool:
        """Tell cheaply, without opening the store, whether some process left its lock file behind."""
        for path in folder.glob("*-*-*") if folder.is_dir() else ():
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                return True
        return False
