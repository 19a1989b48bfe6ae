"""The build context: a walk over the files that the patterns include, with bounded memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.formats.dockerignore import DockerIgnore, PathMatch
from container_kit.stages.host.paths import join, link_text

CONTEXT_UNREADABLE = FaultCode(
    "build.context_unreadable",
    means="The server's user cannot read a file of the build context.",
    hint="Make {path} readable, or exclude it with a line in .dockerignore.",
)
CONTEXT_NAME_INVALID = FaultCode(
    "build.context_name_invalid",
    means="A file's name is not valid UTF-8, which BuildKit requires.",
    hint="Rename the file, or exclude it with a line in .dockerignore.",
)
CONTEXT_CHANGED = FaultCode(
    "build.context_changed",
    means="A file of the build context shrank or was removed while it was read.",
    hint="Build again when nothing writes to {path}, or exclude it with a line in .dockerignore.",
    retryable=True,
)

FAULTS = (CONTEXT_UNREADABLE, CONTEXT_NAME_INVALID, CONTEXT_CHANGED)


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One file, folder or link of the context."""

    path: str
    """Relative to the root, with `/` as the separator."""
    full: str
    stat: os.stat_result
    link: str = ""
    """The target of a symbolic link, or the path of an earlier entry that is the same file (a hard link)."""

    @property
    def is_hard_link(self) -> bool:
        """Whether this is another name of an earlier entry."""
        return bool(self.link) and not stat.S_ISLNK(self.stat.st_mode)


_Seen = dict[tuple[int, int], str]
"""The first path of each file with several names."""


def walk(root: Path, exclude: DockerIgnore, include: DockerIgnore | None = None) -> Iterator[ContextEntry]:
    """Walk through a folder: parents before their content, sorted by name.

    An excluded folder appears only if something below it is included again.

    Args:
        root: The context's folder.
        exclude: The patterns to exclude.
        include: The only patterns to include, with everything below their matches; None includes everything.

    Raises:
        StageFailure: A folder cannot be read, or a name is not UTF-8.
    """
    yield from _folder({}, join(str(root), ""), "", exclude.root, None if include is None else include.root, [])


def _folder(
    seen: _Seen,
    full: str,
    prefix: str,
    excluded: PathMatch,
    included: PathMatch | None,
    pending: list[ContextEntry],
) -> Iterator[ContextEntry]:
    """Walk one folder. `pending` are the parents that appear only if something below them does."""
    for item in _sorted(full, prefix):
        path = prefix + item.name
        exclusion = excluded.child(item.name)
        inclusion = None if included is None else included.child(item.name)
        selected = not exclusion.is_matched and (inclusion is None or inclusion.is_matched)
        folder = item.is_dir(follow_symlinks=False)
        if not selected and not (folder and _may_contain_selected(exclusion, inclusion)):
            continue
        entry = _entry(item, path, seen)
        if entry is None:
            continue
        if selected:
            yield from pending
            pending.clear()
            yield entry
        if folder:
            below = [] if selected else [*pending, entry]
            yield from _folder(seen, item.path, path + "/", exclusion, inclusion, below)
            if not selected and not below:
                pending.clear()  # they were yielded before something in this folder


def _may_contain_selected(exclusion: PathMatch, inclusion: PathMatch | None) -> bool:
    if exclusion.is_matched and not exclusion.may_differ_below:
        return False
    return inclusion is None or inclusion.is_matched or inclusion.may_differ_below


def _sorted(full: str, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(full) as items:
            return sorted(items, key=lambda item: item.name)
    except FileNotFoundError:
        return []  # removed since its parent was read
    except OSError as error:
        raise unreadable(prefix.rstrip("/") or ".", error) from error


def _entry(item: os.DirEntry[str], path: str, seen: _Seen) -> ContextEntry | None:
    """Create the entry of one item; None for types that a context cannot contain, and for removed items."""
    try:
        status = item.stat(follow_symlinks=False)
        link = link_text(os.readlink(item.path)) if stat.S_ISLNK(status.st_mode) else ""  # noqa: PTH115 - as written
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
    """Create the fault of a file that cannot be read."""
    evidence = [Evidence(kind="file", text=error.strerror or str(error), where=path)]
    return CONTEXT_UNREADABLE(f"{path} cannot be read: {error.strerror}", evidence=evidence, path=path)


def changed(path: str) -> Exception:
    """Create the fault of a file that was truncated or removed while it was read."""
    return CONTEXT_CHANGED(
        f"{path} changed while it was read",
        evidence=[Evidence(kind="file", text="shorter than before", where=path)],
        path=path,
    )
