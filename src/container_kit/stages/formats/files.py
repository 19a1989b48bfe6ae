"""Access to files in an untrusted source tree.

Every read and write in a source tree goes through this module. A path is opened one component at a time, relative to
the descriptor of its parent, and never through a symbolic link that the kernel follows. Reads resolve links here and
accept those that stay in the tree; writes accept no link at all. A component can therefore not be exchanged for a link
between the check and the use.

Platforms without `openat` (Windows) compare the opened file with the path afterwards, which is weaker: it detects an
exchange, but only after the file was opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from container_kit.stages.host.paths import is_plain_name

_MAX_LINKS = 40
"""As Linux: path_resolution(7)."""
_HAS_OPENAT = os.open in os.supports_dir_fd
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class LinkOutsideError(OSError):
    """A path leads out of the tree, or through a symbolic link that is not accepted."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EPERM, "a symbolic link leads out of the source tree", path)


class LinkError(LinkOutsideError):
    """A component of a path to write is a symbolic link."""

    def __init__(self, path: str) -> None:
        OSError.__init__(self, errno.ELOOP, "a symbolic link is in the way", path)


def read_inside(root: str, path: str, limit: int) -> bytes:
    """Read at most `limit + 1` bytes of a regular file in a tree.

    Args:
        root: The resolved root of the tree.
        path: Relative to the root, with `/` as the separator. Symbolic links that stay in the tree are followed.
        limit: Bytes. A longer result means that the file is larger.

    Raises:
        OSError: The file does not exist, is not readable or is not a regular file.
        LinkOutsideError: A link leads out of the tree.
    """
    handle = _open_file(root, path)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        chunks, left = [], limit + 1
        while left > 0 and (chunk := os.read(handle, left)):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(handle)


def list_inside(root: str, path: str) -> dict[str, bool]:
    """Return the names in a folder of a tree, each with whether it is a folder itself.

    Symbolic links in the path that stay in the tree are followed. A link in the folder is not a folder.

    Raises:
        OSError: The folder does not exist or is not readable.
        LinkOutsideError: A link leads out of the tree.
    """
    if not _HAS_OPENAT:
        real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118 - the same spelling as realpath's
        if not Path(real).is_relative_to(root):
            raise LinkOutsideError(path)
        with os.scandir(real) as entries:
            return {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    handle = _open_inside(root, path, _FOLDER)
    try:
        with os.scandir(handle) as entries:
            return {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    finally:
        os.close(handle)


def is_link(root: str, path: str) -> bool:
    """Return whether the last component of a path is a symbolic link.

    Raises:
        OSError: A parent folder does not exist.
    """
    with _parent(root, path, create=False) as (folder, name):
        return _is_link_at(folder, name)


def write_inside(root: str, path: str, content: bytes, *, replace: bool = True) -> None:
    """Write a file atomically. Parent folders are created.

    The content goes to a new file with a random name in the same folder, which then takes the path's name. An existing
    file keeps its permission bits.

    Args:
        root: The resolved root of the tree.
        path: Relative to the root. No component may be a symbolic link.
        content: The whole content.
        replace: Replace an existing file; otherwise it is an error.

    Raises:
        LinkError: A component is a symbolic link.
        FileExistsError: The file exists and `replace` is false.
        OSError: The file cannot be written.
    """
    with _parent(root, path, create=True) as (folder, name):
        mode = _mode_of(folder, name, path)
        if mode is not None and not replace:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        draft = f".{name[:100]}.{secrets.token_hex(8)}"
        handle = _open_at(folder, draft, _NEW, 0o644)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                if mode is not None and hasattr(os, "fchmod"):
                    os.fchmod(file.fileno(), mode)
            if replace:
                _rename_at(folder, draft, name)
            else:
                _link_at(folder, draft, name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                _unlink_at(folder, draft)
            raise


def exists_inside(root: str, path: str) -> bool:
    """Return whether a path exists. A symbolic link exists even if its target does not.

    Raises:
        LinkError: A parent folder is a symbolic link.
    """
    try:
        with _parent(root, path, create=False) as (folder, name):
            _lstat_at(folder, name)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def rename_inside(root: str, path: str, new_name: str) -> None:
    """Rename a file within its folder. A symbolic link is renamed itself, not its target.

    Raises:
        LinkError: A parent folder is a symbolic link.
        OSError: The file does not exist, or cannot be renamed.
    """
    with _parent(root, path, create=False) as (folder, name):
        _rename_at(folder, name, new_name)


def remove_inside(root: str, path: str) -> None:
    """Remove a file, or do nothing if it does not exist. A symbolic link is removed itself, not its target.

    Raises:
        LinkError: A parent folder is a symbolic link.
        OSError: The file cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError), _parent(root, path, create=False) as (folder, name):
        _unlink_at(folder, name)


def remove_empty_folders_inside(root: str, path: str) -> None:
    """Remove a folder and its parents below the root, as long as they are empty.

    Raises:
        LinkError: A parent folder is a symbolic link.
    """
    while _components(path):
        try:
            with _parent(root, path, create=False) as (folder, name):
                _rmdir_at(folder, name)
        except LinkOutsideError:
            raise
        except OSError:  # it is not empty, does not exist, or is not a folder
            return
        path = path.rpartition("/")[0]


def decoded(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark. Invalid bytes are replaced, CRLF becomes LF."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace").replace("\r\n", "\n")
    return content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")


# Resolution of a path to read: links are resolved here, one component at a time.


def _open_file(root: str, path: str) -> int:
    if not _HAS_OPENAT:
        return _open_and_compare(root, path)
    return _open_inside(root, path, _FILE)


def _open_inside(root: str, path: str, flags: int) -> int:
    pending = _components(path)
    folders = [os.open(root, _FOLDER)]
    links = 0
    try:
        while pending:
            name = pending.pop(0)
            if name == "..":
                _leave(folders, path)
                continue
            try:
                handle = os.open(name, _FOLDER if pending else flags, dir_fd=folders[-1])
            except OSError as error:
                target = _link_target(error, name, folders[-1])
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from error
                pending[:0] = _follow(target, root, folders, path)
                continue
            if not pending:
                return handle
            folders.append(handle)
        if flags == _FOLDER:
            return folders.pop()
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    finally:
        for folder in folders:
            os.close(folder)


def _leave(folders: list[int], path: str) -> None:
    """Go to the parent folder; the tree's root has none."""
    if len(folders) == 1:
        raise LinkOutsideError(path)
    os.close(folders.pop())


def _follow(target: str, root: str, folders: list[int], path: str) -> list[str]:
    """Return the components of a link's target. An absolute target starts at the tree's root again."""
    if not target.startswith("/"):
        return _components(target)
    inside = _below(root, target)
    if inside is None:
        raise LinkOutsideError(path)
    while len(folders) > 1:
        os.close(folders.pop())
    return _components(inside)


def _link_target(error: OSError, name: str, folder: int) -> str:
    """Return the target if an open failed because of a link; otherwise raise the error."""
    if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        raise error
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        raise error from None


def _components(path: str) -> list[str]:
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not all(map(is_plain_name, names)):
        raise LinkOutsideError(path)
    return names


def _below(root: str, target: str) -> str | None:
    prefix = root.rstrip("/") + "/"
    clean = os.path.normpath(target) if ".." not in target.split("/") else target
    if clean == root:
        return "."
    return clean.removeprefix(prefix) if clean.startswith(prefix) else None


def _open_and_compare(root: str, path: str) -> int:
    real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118 - the same spelling as realpath's
    if not Path(real).is_relative_to(root):
        raise LinkOutsideError(path)
    handle = os.open(real, _FILE | getattr(os, "O_BINARY", 0))
    if os.path.realpath(real) != real or not os.path.samestat(os.fstat(handle), os.lstat(real)):
        os.close(handle)
        raise LinkOutsideError(path)
    return handle


# The parent folder of a path to write: no component may be a link.


@contextlib.contextmanager
def _parent(root: str, path: str, *, create: bool) -> Iterator[tuple[int | str, str]]:
    *parents, name = _components(path) or [""]
    if not name or ".." in (*parents, name):
        raise LinkOutsideError(path)
    if not _HAS_OPENAT:
        yield _plain_folder(root, parents, path, create=create), name
        return
    folder = os.open(root, _FOLDER)
    try:
        for parent in parents:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(parent, 0o755, dir_fd=folder)
            try:
                below = os.open(parent, _FOLDER, dir_fd=folder)
            except OSError as error:
                if _is_link_at(folder, parent):
                    raise LinkError(path) from error
                raise
            os.close(folder)
            folder = below
        yield folder, name
    finally:
        os.close(folder)


def _plain_folder(root: str, parents: list[str], path: str, *, create: bool) -> str:
    folder = Path(root)
    for parent in parents:
        folder /= parent
        if folder.is_symlink():
            raise LinkError(path)
        if create:
            folder.mkdir(exist_ok=True)
    return str(folder)


def _open_at(folder: int | str, name: str, flags: int, mode: int) -> int:
    if isinstance(folder, int):
        return os.open(name, flags, mode, dir_fd=folder)
    return os.open(Path(folder) / name, flags | getattr(os, "O_BINARY", 0), mode)


def _mode_of(folder: int | str, name: str, path: str) -> int | None:
    try:
        status = _lstat_at(folder, name)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise LinkError(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    return stat.S_IMODE(status.st_mode) & 0o777


def _is_link_at(folder: int | str, name: str) -> bool:
    try:
        return stat.S_ISLNK(_lstat_at(folder, name).st_mode)
    except FileNotFoundError:
        return False


def _lstat_at(folder: int | str, name: str) -> os.stat_result:
    if isinstance(folder, int):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return os.lstat(Path(folder) / name)


def _rename_at(folder: int | str, name: str, new: str) -> None:
    if isinstance(folder, int):
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        (Path(folder) / name).replace(Path(folder) / new)


def _link_at(folder: int | str, draft: str, name: str, path: str) -> None:
    """Give a draft its name unless the name is taken, in one step."""
    try:
        if isinstance(folder, int):
            os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(draft, dir_fd=folder)
        else:
            (Path(folder) / draft).rename(Path(folder) / name)  # on Windows an existing name is an error
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from None


def _unlink_at(folder: int | str, name: str) -> None:
    if isinstance(folder, int):
        os.unlink(name, dir_fd=folder)
    else:
        (Path(folder) / name).unlink()


def _rmdir_at(folder: int | str, name: str) -> None:
    if isinstance(folder, int):
        os.rmdir(name, dir_fd=folder)
    else:
        (Path(folder) / name).rmdir()
