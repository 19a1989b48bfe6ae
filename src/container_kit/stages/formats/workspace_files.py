"""Single files of the workspace that a caller names, such as an environment file or a secret."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.formats.files import read_inside

MAX_BYTES = 1 << 20


def read_workspace_file(workspace: Workspace, path: Path, limit: int = MAX_BYTES) -> bytes:
    """Read a regular file. It blocks for a bounded time: special files are rejected, not waited for.

    Args:
        workspace: The allowed folders.
        path: Absolute; symbolic links that stay in the workspace are followed.
        limit: The most bytes that the file may have.

    Raises:
        StageFailure: The path leads out of the workspace.
        OSError: The file does not exist, is not readable, is not a regular file or is too large.
    """
    try:
        file = path.resolve()
    except (RuntimeError, ValueError) as error:  # a loop of links, a NUL character
        raise OSError(errno.EINVAL, "not a usable path", str(path)) from error
    workspace.directory(str(file.parent))
    root = next(root for root in workspace.roots if file.is_relative_to(root))
    content = read_inside(str(root), file.relative_to(root).as_posix(), limit)
    if len(content) > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content
