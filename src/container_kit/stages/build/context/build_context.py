"""The build context: a walk over the files that the patterns leave, with bounded memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from container_kit.stages.build.context.ignore import NONE, Patterns
from container_kit.stages.contract.fault import Evidence, FaultCode

CONTEXT_UNREADABLE = FaultCode(
    "build.context_unreadable",
    means="A file of the build context cannot be read by the server's user.",
    hint="Make {path} readable, or leave it out with a line in .dockerignore.",
)
CONTEXT_NAME_INVALID = FaultCode(
    "build.context_name_invalid",
    means="A file's name is not valid UTF-8, which BuildKit cannot take.",
    hint="Rename the file, or leave it out with a line in .dockerignore.",
)
CONTEXT_CHANGED = FaultCode(
    "build.context_changed",
    means="A file of the build context shrank or vanished while it was read.",
    hint="Build again when nothing writes to {path}, or leave it out with a line in .dockerignore.",
    retryable=True,
)

FAULTS = (CONTEXT_UNREADABLE, CONTEXT_NAME_INVALID, CONTEXT_CHANGED)


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One file, folder or link of the context."""

    path: str
    """Relative to the root, `/` between names."""
    full: str
    stat: os.stat_result
    link: str = ""
    """Where a symbolic link points, or the path of an earlier entry that is the same file (a hard link)."""

    @property
    def is_hard_link(self) -> bool:
        """Whether this is another name of an earlier entry."""
        return bool(self.link) and not stat.S_ISLNK(self.stat.st_mode)


@dataclass(slots=True)
class _Walk:
    exclude: Patterns
    include: Patterns | None
    seen: dict[tuple[int, int], str] = field(default_factory=dict)
    """The first path of each file that has more names than one."""


def walk(root: Path, exclude: Patterns, include: Patterns | None = None) -> Iterator[ContextEntry]:
    """Go through a folder, parents before what is in them, names sorted.

    A folder that is itself left out appears only where something below it is taken back.

    Args:
        root: The context's folder.
        exclude: What is left out.
        include: What alone is taken, with all below it; None takes everything.

    Raises:
        StageFailure: A folder cannot be read, or a name is not UTF-8.
    """
    yield from _folder(_Walk(exclude, include), str(root), "", NONE, NONE, [])


def _folder(
    walk: _Walk, full: str, prefix: str, excluded: int, included: int, waiting: list[ContextEntry]
) -> Iterator[ContextEntry]:
    """Walk one folder; `waiting` are parents that appear only once something below them does."""
    for item in _sorted(full, prefix):
        path = prefix + item.name
        exclusion = walk.exclude.decide(path, excluded)
        inclusion = walk.include.decide(path, included) if walk.include is not None else NONE
        wanted = not walk.exclude.holds(exclusion) and (walk.include is None or walk.include.holds(inclusion))
        folder = item.is_dir(follow_symlinks=False)
        if not wanted and not (folder and _look_inside(walk, path, exclusion, inclusion)):
            continue
        entry = _entry(item, path, walk.seen)
        if entry is None:
            continue
        if wanted:
            yield from waiting
            waiting.clear()
            yield entry
        if folder:
            below = [] if wanted else [*waiting, entry]
            yield from _folder(walk, item.path, path + "/", exclusion, inclusion, below)
            if not wanted and not below:
                waiting.clear()  # they went out before something in this folder


def _look_inside(walk: _Walk, path: str, exclusion: int, inclusion: int) -> bool:
    if walk.exclude.holds(exclusion) and not walk.exclude.reopens_below(path, exclusion):
        return False
    if walk.include is None or walk.include.holds(inclusion):
        return True
    names = path.split("/")
    return any(pattern.may_match_below(names) for pattern in walk.include.patterns)


def _sorted(full: str, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(full) as items:
            return sorted(items, key=lambda item: item.name)
    except FileNotFoundError:
        return []  # gone since its parent was read
    except OSError as error:
        raise unreadable(prefix.rstrip("/") or ".", error) from error


def _entry(item: os.DirEntry[str], path: str, seen: dict[tuple[int, int], str]) -> ContextEntry | None:
    """Describe one item; None for what a context cannot hold (sockets, devices) or what is gone."""
    try:
        status = item.stat(follow_symlinks=False)
        link = os.readlink(item.path) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115 (text, as it is)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        return None
    if not path.isascii():
        _check_name(path)
    if status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
        first = seen.setdefault((status.st_dev, status.st_ino), path)
        link = first if first != path else ""
    return ContextEntry(path, item.path, status, link)


def _check_name(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path)
        raise CONTEXT_NAME_INVALID(
            f"the name {shown!r} is not UTF-8", evidence=[Evidence(kind="file", text=repr(shown))]
        ) from error


def unreadable(path: str, error: OSError) -> Exception:
    """Make the fault of a file that cannot be read."""
    evidence = [Evidence(kind="file", text=error.strerror or str(error), where=path)]
    return CONTEXT_UNREADABLE(f"{path} cannot be read: {error.strerror}", evidence=evidence, path=path)


def changed(path: str) -> Exception:
    """Make the fault of a file that was cut or removed while it was read."""
    return CONTEXT_CHANGED(
        f"{path} changed while it was read",
        evidence=[Evidence(kind="file", text="shorter than before", where=path)],
        path=path,
    )
