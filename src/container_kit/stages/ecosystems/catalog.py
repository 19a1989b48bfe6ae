"""The catalog of ecosystems: finds their declarations and answers lookups by language, manager, registry and file."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import entry_points

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager, RootBuild
from container_kit.stages.ecosystems.facets.dependencies.file_walk import ends_like
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Reader
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockRequirement,
    PackageRegistry,
)
from container_kit.stages.ecosystems.facets.detection.detector import Detector

ENTRY_POINTS = "container_kit.ecosystems"
"""The group of entry points in which other packages name their declarations."""
_NOT_ECOSYSTEMS = {"facets"}


class EcosystemCatalog:
    """Lookups over declarations.

    Args:
        ecosystems: The declarations; the first that names something wins.
    """

    def __init__(self, ecosystems: Iterable[Ecosystem]) -> None:
        self.ecosystems = tuple(ecosystems)

    @cached_property
    def detectors(self) -> tuple[Detector, ...]:
        """All detectors, the lowest rank first."""
        detectors = [detector for ecosystem in self.ecosystems for detector in ecosystem.detectors]
        return tuple(sorted(detectors, key=lambda detector: detector.rank))

    @cached_property
    def detectors_by_name(self) -> dict[str, Detector]:
        """All detectors by name."""
        return {detector.name: detector for detector in reversed(self.detectors)}

    @cached_property
    def languages(self) -> dict[str, Language]:
        """All languages by name."""
        languages = [language for ecosystem in self.ecosystems for language in ecosystem.languages]
        return {language.name: language for language in reversed(languages)}

    @cached_property
    def managers(self) -> dict[str, PackageManager]:
        """All package managers by name."""
        managers = [manager for ecosystem in self.ecosystems for manager in ecosystem.managers]
        return {manager.name: manager for manager in reversed(managers)}

    @cached_property
    def package_registries(self) -> dict[str, PackageRegistry]:
        """All package registries by the type in package URLs."""
        registries = [ecosystem.packages for ecosystem in self.ecosystems if ecosystem.packages]
        return {registry.purl_type: registry for registry in reversed(registries)}

    @cached_property
    def registries_by_osv_name(self) -> dict[str, PackageRegistry]:
        """All package registries by the ecosystem's name in the OSV schema."""
        return {registry.osv: registry for registry in self.package_registries.values()}

    @cached_property
    def root_builds(self) -> tuple[RootBuild, ...]:
        """All manifests at the root that build modules without their own."""
        return tuple(ecosystem.root_build for ecosystem in self.ecosystems if ecosystem.root_build)

    @cached_property
    def tool_folders(self) -> frozenset[str]:
        """Folders that the analysis does not enter."""
        return frozenset(name for ecosystem in self.ecosystems for name in ecosystem.tool_folders)

    @cached_property
    def dependency_folders(self) -> frozenset[str]:
        """Folders that a scan does not enter."""
        return frozenset(name for ecosystem in self.ecosystems for name in ecosystem.dependency_folders)

    @cached_property
    def unread_lock_files(self) -> frozenset[str]:
        """Lock files that only other scanners can read."""
        return frozenset(name for ecosystem in self.ecosystems for name in ecosystem.unread_lock_files)

    @cached_property
    def lock_requirements(self) -> tuple[LockRequirement, ...]:
        """All manifests whose dependencies a lock file has to pin."""
        return tuple(rule for registry in self.package_registries.values() for rule in registry.lock_requirements)

    @cached_property
    def _lock_readers(self) -> tuple[tuple[str, Reader], ...]:
        return tuple(
            (lock.name, lock.read)
            for registry in self.package_registries.values()
            for lock in registry.lock_files
            if lock.read
        )

    def language_of_image(self, image: str) -> str | None:
        """Return the language that a base image of this name holds."""
        languages = (language for ecosystem in self.ecosystems for language in ecosystem.languages)
        return next((language.name for language in languages if image in language.images), None)

    def lock_reader(self, path: str) -> Reader | None:
        """Return the reader of a lock file, by its name."""
        return next((read for name, read in self._lock_readers if ends_like(path, name)), None)

    def manifest_reader(self, path: str) -> Reader | None:
        """Return the reader of exact versions in a manifest that no lock file pins."""
        readers = (item for registry in self.package_registries.values() for item in registry.manifest_readers.items())
        return next((read for name, read in readers if ends_like(path, name)), None)

    def lock_command(self, path: str) -> LockCommand | None:
        """Return the command that updates a lock file; None if it is not known."""
        name = path.rpartition("/")[2]
        locks = (lock for registry in self.package_registries.values() for lock in registry.lock_files)
        return next((lock.update for lock in locks if lock.update and ends_like(name, lock.name)), None)

    def dependency_files(self) -> Iterator[str]:
        """Yield the names of all files that pin or name dependencies, as patterns."""
        yield from (name for name, _ in self._lock_readers)
        yield from self.unread_lock_files
        yield from (rule.name for rule in self.lock_requirements)


@cache
def catalog() -> EcosystemCatalog:
    """Return the catalog of all ecosystems: the folders next to this module, then those of other packages."""
    return EcosystemCatalog([*_own_ecosystems(), *(entry.load() for entry in entry_points(group=ENTRY_POINTS))])


def _own_ecosystems() -> Iterator[Ecosystem]:
    package = import_module(__package__ or "")
    for folder in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        if folder.ispkg and folder.name not in _NOT_ECOSYSTEMS:
            ecosystem: Ecosystem = import_module(f"{package.__name__}.{folder.name}.ecosystem").ECOSYSTEM
            yield ecosystem
