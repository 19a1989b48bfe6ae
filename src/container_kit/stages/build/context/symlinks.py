"""Symbolic links in the paths of COPY, whose targets must be transferred too."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from pathlib import Path

from container_kit.stages.contract import expressions as re
from container_kit.stages.formats.go_match import PatternSyntaxError, matches

_WILDCARD = re.compile(r"[*?\[]")
_MAX_LINKS = 255


def follow_links(root: Path, paths: Sequence[str]) -> list[str]:
    """Resolve the paths that the frontend requests to include patterns.

    The list has the path of each link and of its target. A link that leads outside is resolved as if the root were `/`.

    Args:
        root: The folder that the paths are relative to.
        paths: The paths as COPY names them, with wildcards.
    """
    resolved: dict[str, None] = {}
    pending = [posixpath.normpath("/" + path).lstrip("/") for path in paths]
    budget = _MAX_LINKS
    while pending:
        path = pending.pop(0)
        if path in resolved:
            continue
        if not path:
            return ["**"]  # the root itself
        resolved[path] = None
        for link, target in _first_links(root, path):
            resolved[link] = None
            budget -= 1
            if budget > 0:
                pending.append(target)
    return list(resolved)


def _first_links(root: Path, path: str) -> list[tuple[str, str]]:
    """Find the first link in a path, or those that match its first wildcard, each with the path that it leads to."""
    names = path.split("/")
    for depth, name in enumerate(names):
        parent = posixpath.join("", *names[:depth]) if depth else ""
        rest = names[depth + 1 :]
        if _WILDCARD.search(name):
            links = _matching_links(root, parent, name)
        else:
            links = [name] if (root / parent / name).is_symlink() else []
        if links or _WILDCARD.search(name):
            return [(posixpath.join(parent, link), _target(root, parent, link, rest)) for link in links]
    return []


def _matching_links(root: Path, parent: str, pattern: str) -> list[str]:
    try:
        with os.scandir(root / parent) as items:
            return sorted(item.name for item in items if item.is_symlink() and matches(pattern, item.name))
    except (OSError, PatternSyntaxError):
        return []


def _target(root: Path, parent: str, name: str, rest: Sequence[str]) -> str:
    target = os.readlink(root / parent / name)  # noqa: PTH115 - the text as written
    base = target if target.startswith("/") else posixpath.join("/", parent, target)
    return posixpath.normpath(posixpath.join("/", base.lstrip("/"), *rest)).lstrip("/")
