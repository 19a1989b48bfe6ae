"""Bounded reading of files in a tree that nobody vouches for."""

from __future__ import annotations

import errno
import os
import stat


def read_inside(real_root: str, path: str, limit: int) -> bytes:
    """Read at most limit + 1 bytes of a regular file below a root.

    Args:
        real_root: The root, its links resolved.
        path: Relative to the root.
        limit: Bytes; one more in the answer says that the file is larger.

    Raises:
        OSError: It vanished, may not be read, is no regular file, or is a link that leads outside.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    place = f"{real_root}/{path}"
    try:
        handle = os.open(place, flags)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        target = os.path.realpath(place)
        if not target.startswith(real_root.rstrip("/") + "/"):
            raise OSError(errno.EPERM, "a link that leads out of the tree") from error
        handle = os.open(target, flags)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        chunks, left = [], limit + 1
        while left > 0 and (chunk := os.read(handle, left)):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(handle)


def decoded(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 where a byte order mark says so; what is neither is replaced."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace").replace("\r\n", "\n")
    return content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
