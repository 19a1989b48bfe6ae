"""Package registries: how an ecosystem names, versions, requires and locks its packages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Reader


@dataclass(frozen=True, slots=True)
class LockCommand:
    """The package manager's command that updates a lock file."""

    manifests: tuple[str, ...]
    """The files that people edit, as patterns."""
    run: str
    """The command that writes the lock file."""
    each: str = ""
    """Added to the command for each package; `{name}` and `{version}` are filled in."""
    force: str | None = None
    """The place in the manifest that sets the version of a transitive dependency; None if the command is enough."""

    def command(self, packages: Iterable[tuple[str, str]]) -> str:
        """Return the command for some packages, each a name and its minimum version."""
        parts = (self.each.format(name=name, version=version.removeprefix("v")) for name, version in packages)
        return " ".join([self.run, *(part for part in dict.fromkeys(parts) if part)])


@dataclass(frozen=True, slots=True)
class LockFile:
    """A file that pins versions."""

    name: str
    """A file name, or a pattern for the end of a path."""
    read: Reader | None = None
    update: LockCommand | None = None


@dataclass(frozen=True, slots=True)
class LockRequirement:
    """A manifest whose dependencies a lock file has to pin."""

    name: str
    """A pattern."""
    depends: re.Pattern[str]
    """Matches if the manifest has dependencies."""
    locks: tuple[str, ...]
    """The files that pin them."""
    shares: re.Pattern[str] | None = None
    """Must match the manifest next to a lock file further up for that lock file to count; None if any counts."""
    always_shared: tuple[str, ...] = ()
    """Lock files that cover all folders below them."""


@dataclass(frozen=True, slots=True)
class PackageRegistry:
    """A registry of packages, such as PyPI, and the files of projects that use it."""

    purl_type: str
    """The type in package URLs."""
    osv: str
    """The ecosystem's name in the OSV schema."""
    version_scheme: str
    """The class in `univers.versions` that orders versions."""
    manifests: tuple[str, ...]
    """The files that people edit, as patterns, the most usual first."""
    requirement: str
    """The expression for a line of a manifest that requires a package; `{name}` is the package."""
    lock_files: tuple[LockFile, ...] = ()
    manifest_readers: Mapping[str, Reader] = field(default_factory=dict)
    """Readers for the exact versions in manifests that no lock file pins, by pattern."""
    lock_requirements: tuple[LockRequirement, ...] = ()
    name_separator: str = ""
    """Separates the namespace from the name in package URLs; empty if names have no namespace."""
    normalize: Callable[[str], str] = str
    """Returns the canonical form of a package name."""
    name_pattern: Callable[[str], str] = re.escape
    """Returns the expression for a package name in a manifest."""
    several_versions: bool = False
    """True if several versions of a package can be installed side by side."""

    def lock_commands(self) -> dict[str, LockCommand]:
        """Return the update commands by the name of the lock file."""
        return {lock.name: lock.update for lock in self.lock_files if lock.update}


def multiline(expression: str) -> re.Pattern[str]:
    """Compile an expression in which `^` and `$` match at each line."""
    return re.compile(expression, re.MULTILINE)
