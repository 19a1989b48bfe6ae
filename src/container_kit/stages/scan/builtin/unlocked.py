"""Manifests with dependencies that no lock file next to them or above them pins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.dependencies.package_registry import LockRequirement


def is_manifest(path: str) -> bool:
    """Return whether a file is a manifest whose dependencies another file pins."""
    return any(_is(path, manifest) for manifest in catalog().lock_requirements)


def _is(path: str, manifest: LockRequirement) -> bool:
    return fnmatchcase(path.rpartition("/")[2], manifest.name)


def find(paths: Collection[str], locks: Iterable[str], text: Callable[[str], str | None]) -> Iterator[str]:
    """Find the manifests with dependencies that nothing pins.

    Args:
        paths: The paths of all manifests, relative to the root.
        locks: The paths of all files that pin.
        text: Reads a manifest; None if it cannot be read.
    """
    tree = _Tree(frozenset(paths), defaultdict(set), text)
    for lock in locks:
        folder, name = _parted(lock)
        tree.locks[folder].add(name)
    for path in paths:
        content = tree.text(path) or ""
        kinds = [
            manifest
            for manifest in catalog().lock_requirements
            if _is(path, manifest) and manifest.depends.search(content)
        ]
        if not all(_is_locked(tree, path, manifest) for manifest in kinds):
            yield path


@dataclass(frozen=True, slots=True)
class _Tree:
    manifests: frozenset[str]
    locks: defaultdict[str, set[str]]
    """The names of files that pin, by folder."""
    text: Callable[[str], str | None]


def _parted(path: str) -> tuple[str, str]:
    return str(PurePosixPath(path).parent), PurePosixPath(path).name


def _is_locked(tree: _Tree, path: str, manifest: LockRequirement) -> bool:
    own, *above = PurePosixPath(path).parents
    if _pins(tree, str(own), manifest):
        return True
    for folder in above:
        names = _pins(tree, str(folder), manifest)
        root = str(folder / PurePosixPath(path).name)
        if names & set(manifest.always_shared) or (names and manifest.shares is None):
            return True
        if names and root in tree.manifests and manifest.shares and manifest.shares.search(tree.text(root) or ""):
            return True
    return False


def _pins(tree: _Tree, folder: str, manifest: LockRequirement) -> set[str]:
    names = tree.locks.get(folder, set())
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in manifest.locks)}
