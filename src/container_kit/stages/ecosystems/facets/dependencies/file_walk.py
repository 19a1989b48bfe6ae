"""One bounded walk over the files of a folder, without what package managers installed or tools keep there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase, translate

from container_kit.stages.contract import expressions as re

MOST_DEPTH = 100
"""Folders inside each other."""
MOST_NAMES = 1_000_000
"""Files and folders that are walked over."""
_NEVER_WALKED = frozenset([".git", ".hg", ".svn", ".terraform"])
"""Folders of version control and of tools that are not an ecosystem's."""
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"


def name_expression(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one expression for the names of files whose paths match one of some patterns at their end."""
    return re.compile("|".join(translate(pattern.rpartition("/")[2]) for pattern in patterns))


def ends_like(path: str, pattern: str) -> bool:
    """Return whether the last parts of a path match a pattern."""
    parts = path.split("/")[-1 - pattern.count("/") :]
    return len(parts) == 1 + pattern.count("/") and fnmatchcase("/".join(parts), pattern)


def files(
    root: str,
    names: re.Pattern[str],
    pruned: frozenset[str],
    note: Callable[[str], None],
    checkpoint: Callable[[], None],
) -> Iterator[str]:
    """Yield the paths, relative to a root, of files with certain names; links to folders are not followed.

    Args:
        root: The folder, its own links resolved.
        names: The expression for a whole name.
        pruned: Names of folders that are not entered.
        note: Receives a message for each part that could not be walked.
        checkpoint: Called once per folder; may raise to end the walk.

    Returns:
        Sorted in each folder, outer folders first.
    """
    seen = 0
    left_out = pruned | _NEVER_WALKED

    def failed(error: OSError) -> None:
        note(f"{os.path.relpath(error.filename or root, root)} cannot be listed: {error.strerror}")

    for folder, folders, found in os.walk(root, onerror=failed):
        checkpoint()
        seen += len(folders) + len(found)
        if seen > MOST_NAMES:
            note(f"more than {MOST_NAMES} files: the rest of the folder was not looked at")
            return
        if _VIRTUAL_ENVIRONMENT in found:
            folders.clear()
            continue
        below = os.path.relpath(folder, root)
        folders[:] = sorted(name for name in folders if name not in left_out and _is_text(name, note))
        if folders and below != "." and below.count("/") + 1 >= MOST_DEPTH:
            note(f"more than {MOST_DEPTH} folders inside each other: the rest of {below[:200]} was not looked at")
            folders.clear()
        matching = sorted(name for name in found if names.match(name) and _is_text(name, note))
        yield from (name if below == "." else f"{below}/{name}" for name in matching)


def _is_text(name: str, note: Callable[[str], None]) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        note(f"{name!a} is passed over: its name is not UTF-8")
        return False
    return True
