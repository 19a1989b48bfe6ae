"""Write files into a source tree, completely or not at all, without replacing a person's work."""

from __future__ import annotations

import contextlib
from pathlib import Path

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.dockerfile.generate.render import is_own
from container_kit.stages.formats import files

EXISTS = FaultCode(
    "dockerfile.exists",
    means="A Dockerfile exists that a person wrote, or edited after it was generated.",
    hint="Build with {path} as it is, or set overwrite=true to replace it; the old file is kept next to the new one.",
)
UNWRITABLE = FaultCode(
    "dockerfile.unwritable",
    means="The file cannot be written into the source tree.",
    hint="Make {folder} a folder without symbolic links that the server's user can write to, and check its disk space, "
    "or request a proposal with write=false.",
)

FAULTS = (EXISTS, UNWRITABLE)

_LARGEST = 1_000_000
"""Bytes; a larger file is not a generated one."""


def write(root: Path, path: str, content: str, *, run_id: str, overwrite: bool) -> str | None:
    """Write a file into a source tree.

    Args:
        root: The resolved root of the tree.
        path: Relative to the root.
        content: The whole text.
        run_id: Part of the name of the kept copy, so that a run that is repeated after a crash finds it.
        overwrite: Replace a file that a person wrote.

    Returns:
        The path of the kept copy of the replaced file, relative to the root, or None.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    kept = f"{path}.{run_id}.orig"
    try:
        if is_foreign(root, path):
            if not overwrite:
                raise _exists(root, path)
            files.rename_inside(str(root), path, kept.rpartition("/")[2])
        files.write_inside(str(root), path, content.encode(), replace=_exists_in(root, path))
        return kept if _exists_in(root, kept) else None
    except FileExistsError as error:  # it was created in the meantime
        raise _exists(root, path) from error
    except OSError as error:
        raise _unwritable(root, path, error) from error


def remove(root: Path, path: str, content: str, kept: str | None) -> None:
    """Undo `write`: remove the file if it is unchanged, and restore the file that it replaced.

    Raises:
        StageFailure: `dockerfile.unwritable`.
    """
    try:
        if not _is_link(root, path) and _text(root, path) == content:
            files.remove_inside(str(root), path)
        if kept is not None and _exists_in(root, kept) and not _exists_in(root, path):
            files.rename_inside(str(root), kept, path.rpartition("/")[2])
    except OSError as error:
        raise _unwritable(root, path, error) from error


def reject_replacing(root: Path, path: str) -> None:
    """Raise `dockerfile.exists` if the file was not generated, or was edited since."""
    if is_foreign(root, path):
        raise _exists(root, path)


def is_foreign(root: Path, path: str) -> bool:
    """Return whether the file exists and was not generated, or was edited since. A link is always foreign."""
    if not _exists_in(root, path):
        return False
    text = None if _is_link(root, path) else _text(root, path)
    return text is None or not is_own(text.replace("\r\n", "\n"))


def _exists_in(root: Path, path: str) -> bool:
    return files.exists_inside(str(root), path)


def _is_link(root: Path, path: str) -> bool:
    with contextlib.suppress(OSError):
        return files.is_link(str(root), path)
    return False


def _text(root: Path, path: str) -> str | None:
    try:
        content = files.read_inside(str(root), path, _LARGEST)
        return content.decode("utf-8") if len(content) <= _LARGEST else None
    except (OSError, UnicodeDecodeError):
        return None


def _exists(root: Path, path: str) -> StageFailure:
    name = path.rpartition("/")[2]
    text = "a symbolic link" if _is_link(root, path) else (_text(root, path) or "not readable as text")[:2000]
    return EXISTS(
        f"{name} exists and was not generated",
        evidence=[Evidence(kind="file", text=text, where=path)],
        next_actions=[
            NextAction(why="Replace it; the old file is kept next to the new one.", arguments={"overwrite": True})
        ],
        path=path,
    )


def _unwritable(root: Path, path: str, error: OSError) -> StageFailure:
    reason = error.strerror or str(error)
    return UNWRITABLE(f"{path} cannot be written: {reason}", folder=(root / path).parent)
