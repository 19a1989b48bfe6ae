"""The manifests of a source tree: the line that names a package, and the lock file that belongs to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property
from operator import itemgetter
from pathlib import Path, PurePosixPath

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.dependencies import file_walk as walk
from container_kit.stages.ecosystems.facets.dependencies.lockfile import BROKEN
from container_kit.stages.ecosystems.facets.dependencies.package_registry import PackageRegistry
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.files import decoded, read_inside

_MOST_BYTES = 2 * 2**20
_MOST_LOCK_BYTES = 16 * 2**20
_MOST_FILES = 2_000


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """The place where a package can be changed."""

    where: str
    """`file:line`, or only the file if it does not name the package."""
    direct: bool
    """Whether the file names the package; otherwise it is a transitive dependency."""
    lock: str | None = None
    """The lock file to update after a change."""


class ManifestIndex:
    """The manifests of a source tree. The first search walks the tree once.

    Args:
        root: The source tree.
        module: The module's folder, relative to the root. Its manifests are searched first.
    """

    def __init__(self, root: Path, module: str = ".") -> None:
        self._root = str(root.resolve())
        self._module = PurePosixPath(module)
        self._lines = cache(self._read)
        self._pins = cache(self._read_lock)

    def find(
        self, ecosystem: str | None, package: str, installed: str = "", lock: str | None = None
    ) -> ManifestEntry | None:
        """Find the line that names a package, else the manifest to add one to.

        Args:
            ecosystem: The type in a package URL.
            package: The package's name, for Maven `group:artifact`.
            installed: Its version. Of several lines, one that allows this version is preferred.
            lock: The lock file that pins it, if known. Only manifests that it covers then count.
        """
        kind = ecosystem or ""
        files = [path for path in self._manifests.get(kind, ()) if lock is None or _covers(lock, path)]
        if not files:
            return None
        for path, number in self._naming(files, kind, package, installed):
            return ManifestEntry(f"{path}:{number}", direct=True, lock=lock or self._lock(kind, path))
        lock = lock or self._lock(kind, files[0])
        beside = (path for path in files if lock and PurePosixPath(path).parent == PurePosixPath(lock).parent)
        return ManifestEntry(next(beside, files[0]), direct=False, lock=lock)

    def source_of(self, requirements: str) -> str | None:
        """Return the file that a requirements file was compiled from, by pip-compile's names; None if none exists."""
        source = requirements.removesuffix(".txt") + ".in"
        return source if requirements.endswith(".txt") and source in self._known else None

    def pinned(self, lock: str, package: str, version: str) -> str | None:
        """Return `file:line` of a package in a lock file; None if the lock file does not have it."""
        line = self._pins(lock).get((package, version))
        return f"{lock}:{line}" if line else None

    def _naming(self, files: list[str], kind: str, package: str, installed: str) -> list[tuple[str, int]]:
        """Find the lines that name a package, those with the exact version first."""
        registry = catalog().package_registries[kind]
        named = re.compile(registry.requirement.format(name=registry.name_pattern(package)), re.IGNORECASE)
        found = [
            (installed not in line, path, number)
            for path in files
            for number, line in enumerate(self._lines(path), start=1)
            if (match := named.search(line)) and _may_lead_to(registry, line[match.start() :], installed)
        ]
        return [(path, number) for _, path, number in sorted(found, key=itemgetter(0))]

    @cached_property
    def _files(self) -> list[str]:
        registries = catalog().package_registries.values()
        locks = (name for registry in registries for name in registry.lock_commands() if "*" not in name)
        names = walk.name_expression([*(name for registry in registries for name in registry.manifests), *locks])
        return list(
            walk.files(self._root, names, catalog().dependency_folders, note=lambda _: None, checkpoint=lambda: None)
        )

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._files)

    @cached_property
    def _manifests(self) -> dict[str, list[str]]:
        """The manifests by ecosystem: the module's first, then the root's, then the others."""
        found: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for path in self._files:
            for ecosystem, registry in catalog().package_registries.items():
                rank = next(
                    (rank for rank, pattern in enumerate(registry.manifests) if walk.ends_like(path, pattern)), None
                )
                if rank is not None and len(found[ecosystem]) < _MOST_FILES and not self.source_of(path):
                    found[ecosystem].append((self._distance(path), rank, path))
        return {ecosystem: [path for _, _, path in sorted(paths)] for ecosystem, paths in found.items()}

    def _distance(self, path: str) -> int:
        folder = PurePosixPath(path).parent
        if folder == self._module:
            return 0
        return 1 + len(folder.parts) + (0 if folder == PurePosixPath() or self._module in folder.parents else 100)

    def _lock(self, ecosystem: str, manifest: str) -> str | None:
        """Find the lock file next to a manifest, or the nearest one above."""
        if manifest.endswith(".in"):
            compiled = manifest.removesuffix(".in") + ".txt"
            return compiled if compiled in self._known else None
        for folder in PurePosixPath(manifest).parents:
            for name in catalog().package_registries[ecosystem].lock_commands():
                lock = str(folder / name)
                if lock in self._known and _covers(lock, manifest):
                    return lock
        return None

    def _read(self, path: str) -> tuple[str, ...]:
        """Read the lines with at most one space between words, because expressions are slow on long runs of spaces."""
        try:
            lines = decoded(read_inside(self._root, path, _MOST_BYTES)).splitlines()
        except OSError:
            return ()
        return tuple(" ".join(line.split()) for line in lines)

    def _read_lock(self, path: str) -> dict[tuple[str, str], int]:
        """From a package's name and version to its line."""
        reader = catalog().lock_reader(path)
        try:
            text = decoded(read_inside(self._root, path, _MOST_LOCK_BYTES))
            found = [entry for entry in reader(text) if isinstance(entry, Package)] if reader else []
        except BROKEN:
            return {}
        return {(package.name, package.version): package.line for package in reversed(found)}


def _covers(lock: str, manifest: str) -> bool:
    if lock.endswith(".txt"):
        return manifest == lock.removesuffix(".txt") + ".in"
    lock_command = catalog().lock_command(lock)
    below = PurePosixPath(lock).parent in PurePosixPath(manifest).parents
    return (
        below
        and lock_command is not None
        and any(walk.ends_like(manifest, pattern) for pattern in lock_command.manifests)
    )


def _may_lead_to(registry: PackageRegistry, requirement: str, installed: str) -> bool:
    """Return whether a requirement allows a version, in ecosystems that install several versions of a package."""
    if not registry.several_versions or not installed:
        return True
    wanted = requirement.partition(",")[0]
    majors = re.findall(r"(?<![\w.])(\d+)", wanted)
    return not majors or ">" in wanted or installed.partition(".")[0] in majors
