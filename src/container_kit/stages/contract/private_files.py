"""Folders and files of the state, which no other user of the machine can read or change."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from container_kit.stages.host.users import PRIVATE, group_id, make_private, permissions, user_id

_SECRET_BYTES = 32


class UnsafePath(Exception):
    """Other users can change a path of the state, so its content cannot be trusted."""


def make_private_folder(folder: Path, *, tighten: bool = False) -> None:
    """Create a folder with mode 0700, or check an existing one.

    An existing folder may be readable by others, because its files are private. It must not be writable by them: they
    could put their own files into it. The same holds for the folders above it, since they could replace it.

    Args:
        folder: The folder. Missing folders above it are created too.
        tighten: Remove the permissions of others from an existing folder, because it holds only state.

    Raises:
        UnsafePath: Another user owns the folder or can change it.
        OSError: It cannot be created.
    """
    folder = folder.absolute()
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)
    resolved = folder.resolve()
    if not resolved.is_dir():
        raise UnsafePath(f"{folder} is not a folder")
    status = resolved.stat()
    _check_owner(resolved, status)
    if tighten and permissions(status.st_mode) & 0o077 and status.st_uid == user_id():
        resolved.chmod(0o700)
    elif permissions(status.st_mode) & 0o022:
        raise _writable(resolved)
    for parent in resolved.parents[:-1]:
        _check_parent(parent, parent.stat())


def make_private_file(path: Path) -> None:
    """Create an empty file with mode 0600, or remove the permissions of others from an existing one.

    Raises:
        UnsafePath: It is not a regular file of this user.
        OSError: It cannot be created or changed.
    """
    flags = os.O_RDWR | os.O_CREAT | PRIVATE
    try:
        file = os.open(path, flags, 0o600)
    except PermissionError:
        if path.is_file() and not path.is_symlink():
            return  # a read-only store; who opens it reports that
        raise
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (user_id(), 0):
            raise UnsafePath(f"{path} is not a regular file of this user")
        if permissions(status.st_mode) & 0o077:
            make_private(file)
    finally:
        os.close(file)


def shared_secret(path: Path) -> str:
    """Return the secret in a file that only this user can read. Creates it if it does not exist.

    Raises:
        UnsafePath: Other users can read or change it.
        OSError: It cannot be read or created.
    """
    return _read_secret(path) or _create_secret(path)


def _read_secret(path: Path) -> str | None:
    try:
        file = os.open(path, os.O_RDONLY | PRIVATE)
    except FileNotFoundError:
        return None
    with os.fdopen(file, encoding="ascii", errors="replace") as opened:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != user_id() or permissions(status.st_mode) & 0o077:
            raise UnsafePath(f"other users can read or change {path}; remove it, and the next start makes a new one")
        secret = opened.read(1024).strip()
    if len(secret) < _SECRET_BYTES or not secret.isascii():
        raise UnsafePath(f"{path} holds no secret; remove it, and the next start makes a new one")
    return secret


def _create_secret(path: Path) -> str:
    """Write a new secret, complete before it has its name. A process that starts at the same time may be faster."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    file = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | PRIVATE, 0o600)
    try:
        with os.fdopen(file, "w", encoding="ascii") as opened:
            opened.write(secrets.token_urlsafe(_SECRET_BYTES) + "\n")
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    return shared_secret(path)


def _check_parent(folder: Path, status: os.stat_result) -> None:
    """Check that others cannot replace what is in a folder.

    Many systems give each user a group without other members, and folders that this group can write to.
    """
    _check_owner(folder, status)
    is_shared = permissions(status.st_mode) & 0o002 or (
        permissions(status.st_mode) & 0o020 and status.st_gid != group_id()
    )
    if is_shared and not permissions(status.st_mode) & stat.S_ISVTX:
        raise _writable(folder)


def _check_owner(folder: Path, status: os.stat_result) -> None:
    if status.st_uid not in (user_id(), 0):
        raise UnsafePath(f"{folder} belongs to another user")


def _writable(folder: Path) -> UnsafePath:
    return UnsafePath(f"group or others can write to {folder}; remove that permission: chmod go-w {folder}")
