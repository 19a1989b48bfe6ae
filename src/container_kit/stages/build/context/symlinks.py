"""Following symbolic links in the paths that a COPY names, so that what they point to travels too."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

_WILDCARD = re.compile(r"[*?\[]")
_LINKS_AT_MOST = 255


def follow(root: Path, paths: Sequence[str]) -> list[str]:
    """Resolve the paths that the frontend asks for into include patterns.

    A link's own path stays in the list, and where it points to is added; a link that leads outside stays inside, as if
    the root were `/`.

    Args:
        root: The folder that the paths are relative to.
        paths: As COPY names them; they may hold wildcards.
    """
    found: dict[str, None] = {}
    waiting = [posixpath.normpath("/" + path).lstrip("/") for path in paths]
    budget = _LINKS_AT_MOST
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        if not path:
            return ["**"]  # the root itself: everything
        found[path] = None
        for link, target in _targets(root, path):
            found[link] = None
            budget -= 1
            if budget > 0:
                waiting.append(target)
    return list(found)


def _targets(root: Path, path: str) -> list[tuple[str, str]]:
    """The first link on the way of a path, and where it leads with the rest of the path behind it."""
    names = path.split("/")
    for depth, name in enumerate(names):
        parent = posixpath.join("", *names[:depth]) if depth else ""
        rest = names[depth + 1 :]
        if _WILDCARD.search(name):
            found = _links_like(root, parent, name)
        else:
            found = [name] if (root / parent / name).is_symlink() else []
        if found or _WILDCARD.search(name):
            return [(posixpath.join(parent, link), _aim(root, parent, link, rest)) for link in found]
    return []


def _links_like(root: Path, parent: str, pattern: str) -> list[str]:
    from container_kit.stages.build.context.ignore import Patterns

    matcher = Patterns.of([pattern])
    try:
        with os.scandir(root / parent) as items:
            return sorted(item.name for item in items if item.is_symlink() and matcher.holds(matcher.decide(item.name)))
    except OSError:
        return []


def _aim(root: Path, parent: str, name: str, rest: Sequence[str]) -> str:
    target = os.readlink(root / parent / name)  # noqa: PTH115 (text, as it is)
    base = target if target.startswith("/") else posixpath.join("/", parent, target)
    return posixpath.normpath(posixpath.join("/", base.lstrip("/"), *rest)).lstrip("/")
