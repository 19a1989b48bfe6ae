"""One bounded walk over the files of a folder, without what package managers installed or tools keep there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase, translate

MOST_DEPTH = 100
"""Folders inside each other."""
MOST_NAMES = 1_000_000
"""Files and folders that are walked over."""
_NOT_WALKED = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".tox",
        ".nox",
        ".venv",
        ".yarn",
        ".gradle",
        ".terraform",
        "__pycache__",
        "bower_components",
        "node_modules",
        "Pods",
        "site-packages",
        "vendor",
    ]
)
"""Folders of what is installed or copied from elsewhere: what is in them is pinned by files outside of them."""
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"


def named(patterns: Iterable[str]) -> re.Pattern[str]:
    """One expression for the names of files whose paths end like one of some patterns."""
    return re.compile("|".join(translate(pattern.rpartition("/")[2]) for pattern in patterns))


def ends_like(path: str, pattern: str) -> bool:
    """Whether a path's last parts, as many as a pattern has, fit it."""
    parts = path.split("/")[-1 - pattern.count("/") :]
    return len(parts) == 1 + pattern.count("/") and fnmatchcase("/".join(parts), pattern)


def files(root: str, names: re.Pattern[str], note: Callable[[str], None], look_up: Callable[[], None]) -> Iterator[str]:
    """The paths, relative to a root, of files with certain names; links to folders are not followed.

    Args:
        root: The folder, its own links resolved.
        names: What the whole name must match.
        note: Is told what could not be walked.
        look_up: Is called once a folder; it may raise, to end the walk.

    Returns:
        Sorted in each folder, outer folders first.
    """
    seen = 0

    def failed(error: OSError) -> None:
        note(f"{os.path.relpath(error.filename or root, root)} cannot be listed: {error.strerror}")

    for folder, folders, found in os.walk(root, onerror=failed):
        look_up()
        seen += len(folders) + len(found)
        if seen > MOST_NAMES:
            note(f"more than {MOST_NAMES} files: the rest of the folder was not looked at")
            return
        if _VIRTUAL_ENVIRONMENT in found:
            folders.clear()
            continue
        below = os.path.relpath(folder, root)
        folders[:] = sorted(name for name in folders if name not in _NOT_WALKED and _is_text(name, note))
        if folders and below != "." and below.count("/") + 1 >= MOST_DEPTH:
            note(f"more than {MOST_DEPTH} folders inside each other: the rest of {below[:200]} was not looked at")
            folders.clear()
        wanted = sorted(name for name in found if names.match(name) and _is_text(name, note))
        yield from (name if below == "." else f"{below}/{name}" for name in wanted)


def _is_text(name: str, note: Callable[[str], None]) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        note(f"{name!a} is passed over: its name is not UTF-8")
        return False
    return True
