"""Process locks: each process that executes runs holds a lock while it lives, so that others detect its death."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from container_kit.stages.contract.private_files import make_private_folder
from container_kit.stages.host.file_locks import acquire_lock_file, close_and_remove, open_lock_file, try_lock


def new_executor_id() -> str:
    """Return an id that no other process has."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


_PATTERN = "*-*-*"


class ProcessLocks(Protocol):
    """The locks of all processes on one store."""

    executor_id: str
    """The id of this process."""

    def probe(self, executor_id: str) -> AbstractContextManager[bool]:
        """Enter a context with whether a process is dead. Only one process at a time gets True for it."""
        ...

    def leftovers(self) -> set[str]:
        """Return processes that may be dead, in addition to those in the journal."""
        ...

    def renew(self) -> None:
        """Make sure that this process holds its lock. Called often."""
        ...

    def close(self) -> None:
        """Release the lock of this process."""
        ...


class FileLocks:
    """Locks on files in a folder next to a SQLite store. The kernel drops the lock of a dead process immediately.

    Args:
        folder: The folder of the lock files.
        executor_id: The id of this process; a new one by default.
    """

    def __init__(self, folder: Path, executor_id: str | None = None) -> None:
        make_private_folder(folder, tighten=True)
        self._folder = folder
        self.executor_id = executor_id or new_executor_id()
        self._lock = acquire_lock_file(folder / self.executor_id)

    @contextmanager
    def probe(self, executor_id: str) -> Iterator[bool]:
        """Enter a context with whether a process is dead. A process without a file is dead too."""
        path = self._folder / Path(executor_id).name
        lock = open_lock_file(path)
        dead = False
        try:
            dead = try_lock(lock)
            yield dead
        except BaseException:
            os.close(lock)  # the file stays, so that the next process tries again
            raise
        if dead:
            close_and_remove(lock, path)
        else:
            os.close(lock)

    def leftovers(self) -> set[str]:
        """Return the processes with a lock file. A file of a dead process makes each later process open the store."""
        return {path.name for path in self._folder.glob(_PATTERN)} - {self.executor_id}

    def renew(self) -> None:
        """Do nothing: the kernel holds the lock until the process ends."""

    def close(self) -> None:
        """Release the lock of this process and remove its file."""
        close_and_remove(self._lock, self._folder / self.executor_id)

    @staticmethod
    def has_dead_process(folder: Path) -> bool:
        """Return whether a process died and left its lock file, without opening the store."""
        for path in folder.glob(_PATTERN) if folder.is_dir() else ():
            with suppress(FileNotFoundError), path.open("rb+") as file:
                if try_lock(file.fileno()):
                    return True
        return False
