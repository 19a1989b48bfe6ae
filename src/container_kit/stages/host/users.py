"""Owners and permissions of files, and limits of this process."""

from __future__ import annotations

import os
import sys

PRIVATE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY", "O_NOINHERIT"))
"""Flags to open a file of the state: no link, not inherited by child processes, without waiting for a pipe."""

if sys.platform == "win32":

    def user_id() -> int:
        """Return the owner that files have here: Windows reports 0 for all, and its access lists protect profiles."""
        return 0

    def group_id() -> int:
        """Return the group that files have here."""
        return 0

    def permissions(mode: int) -> int:  # noqa: ARG001 - the same interface as elsewhere
        """Return no permission bits: those that Windows reports say nothing about other users."""
        return 0

    def make_private(descriptor: int) -> None:
        """Do nothing: a file inherits the access list of its folder in the user's profile."""

    def open_file_limit() -> int | None:
        """Return None: sockets are not limited by the number of files."""
        return None

else:
    import resource

    def user_id() -> int:
        """Return the id of the effective user."""
        return os.geteuid()

    def group_id() -> int:
        """Return the id of the effective group."""
        return os.getegid()

    def permissions(mode: int) -> int:
        """Return the permission bits of a file's mode."""
        return mode & 0o7777

    def make_private(descriptor: int) -> None:
        """Remove the permissions of others from an open file."""
        os.fchmod(descriptor, 0o600)

    def open_file_limit() -> int | None:
        """Return how many files and sockets this process may have open; None without a limit."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return None if soft == resource.RLIM_INFINITY else soft
