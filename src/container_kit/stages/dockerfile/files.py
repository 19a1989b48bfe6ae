"""Puts files into a source tree: whole or not at all, and never over what somebody wrote."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.dockerfile.generate.render import is_own

EXISTS = FaultCode(
    "dockerfile.exists",
    means="A Dockerfile is there that somebody wrote, or edited after it was generated.",
    hint="Build with {path} as it is, or say overwrite=true to replace it; it is then kept beside the new one.",
)
UNWRITABLE = FaultCode(
    "dockerfile.unwritable",
    means="The file cannot be written into the source tree.",
    hint="Make {folder} writable for the server's user and see that its disk has space, or ask for a proposal: "
    "write=false.",
)

FAULTS = (EXISTS, UNWRITABLE)


def place(target: Path, content: str, *, run_id: str, overwrite: bool) -> Path | None:
    """Write a file.

    Args:
        target: Where it goes; its folder exists.
        content: The whole text.
        run_id: Names the file that a replaced one is kept as, so that a run which is repeated after a crash finds it.
        overwrite: Replace what somebody wrote.

    Returns:
        Where the replaced file is kept, where there was one.

    Raises:
        StageFailure: One of `FAULTS`.
    """
    kept = target.with_name(f"{target.name}.{run_id}.orig")
    draft = target.with_name(f".{target.name}.{run_id}.new")
    try:
        with draft.open("w", encoding="utf-8", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if _is_foreign(target):
            if not overwrite:
                raise _exists(target)
            target.replace(kept)
        _move(draft, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return kept if os.path.lexists(kept) else None


def remove(target: Path, content: str, kept: Path | None) -> None:
    """Undo `place`: take the file away if it still says what was written, and put back what it replaced.

    Raises:
        StageFailure: `dockerfile.unwritable`.
    """
    try:
        if _text(target) == content:
            target.unlink()
        if kept is not None and os.path.lexists(kept) and not os.path.lexists(target):
            kept.rename(target)
    except OSError as error:
        raise _unwritable(target, error) from error


def refuse_to_replace(target: Path) -> None:
    """Raise `dockerfile.exists` where a file is there that was not generated, or was edited since."""
    if _is_foreign(target):
        raise _exists(target)


def _is_foreign(target: Path) -> bool:
    if not os.path.lexists(target):
        return False
    text = None if target.is_symlink() else _text(target)
    return text is None or not is_own(text.replace("\r\n", "\n"))


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8") if path.stat().st_size < 1_000_000 else None
    except (OSError, UnicodeDecodeError):
        return None


def _move(draft: Path, target: Path) -> None:
    """Give the draft its name; a file that appears meanwhile is not replaced, unless it is our own of before."""
    if os.path.lexists(target):
        draft.replace(target)
        return
    try:
        target.hardlink_to(draft)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        draft.replace(target)  # a file system without hard links


def _exists(target: Path) -> StageFailure:
    return EXISTS(
        f"{target.name} is there already and was not generated",
        evidence=[Evidence(kind="file", text=(_text(target) or "not readable as text")[:2000], where=target.name)],
        next_actions=[NextAction(why="Replaces it; the old file is kept beside it.", arguments={"overwrite": True})],
        path=target.name,
    )


def _unwritable(target: Path, error: OSError) -> StageFailure:
    return UNWRITABLE(f"{target.name} cannot be written: {error.strerror or error}", folder=target.parent)
