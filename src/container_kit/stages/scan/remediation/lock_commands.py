"""The commands with which package managers update their lock files, also for transitive dependencies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LockCommand:
    """The command of a package manager that updates its lock file."""

    manifests: tuple[str, ...]
    """Patterns of the files that people edit."""
    run: str
    """The command that writes the lock file."""
    each: str = ""
    """The argument for each package, with `{name}` and `{version}`."""
    force: str | None = None
    """The place in the manifest that sets the version of a transitive dependency; None if the command is enough."""

    def command(self, packages: Iterable[tuple[str, str]]) -> str:
        """Return the command for packages, given as names and minimum versions."""
        parts = (self.each.format(name=name, version=version.removeprefix("v")) for name, version in packages)
        return " ".join([self.run, *(part for part in dict.fromkeys(parts) if part)])


def _node(run: str, force: str) -> LockCommand:
    return LockCommand(("package.json",), run, force=force)


def _pyproject(run: str, each: str = "{name}") -> LockCommand:
    return LockCommand(("pyproject.toml",), run, each)


LOCKS: dict[str, dict[str, LockCommand]] = {
    "npm": {
        "package-lock.json": _node("npm install", "`overrides`"),
        "npm-shrinkwrap.json": _node("npm install", "`overrides`"),
        "yarn.lock": _node("yarn install", "`resolutions`"),
        "pnpm-lock.yaml": _node("pnpm install", "`pnpm.overrides`"),
        "bun.lock": _node("bun install", "`overrides`"),
    },
    "pypi": {
        "poetry.lock": _pyproject("poetry update"),
        "uv.lock": _pyproject("uv lock", "--upgrade-package {name}"),
        "pdm.lock": _pyproject("pdm update"),
        "Pipfile.lock": LockCommand(("Pipfile",), "pipenv upgrade", "{name}"),
    },
    "golang": {"go.mod": LockCommand(("go.mod",), "go get", "{name}@v{version}")},
    "cargo": {"Cargo.lock": LockCommand(("Cargo.toml",), "cargo update", "{name}")},
    "gem": {
        "Gemfile.lock": LockCommand(("Gemfile", "*.gemspec"), "bundle update", "{name}"),
        "gems.locked": LockCommand(("gems.rb", "*.gemspec"), "bundle update", "{name}"),
    },
    "composer": {"composer.lock": LockCommand(("composer.json",), "composer update --with-dependencies", "{name}")},
    "nuget": {
        "packages.lock.json": LockCommand(
            ("*.csproj", "*.fsproj", "Directory.Packages.props"),
            "dotnet restore --force-evaluate",
            force="a separate `PackageReference`",
        )
    },
    "maven": {
        "gradle.lockfile": LockCommand(
            ("build.gradle", "build.gradle.kts", "libs.versions.toml"),
            "gradle dependencies",
            "--update-locks {name}",
            force="a constraint in `dependencies`",
        )
    },
    "hex": {"mix.lock": LockCommand(("mix.exs",), "mix deps.update", "{name}")},
}
"""The commands by ecosystem and name of the lock file."""
_COMPILED = LockCommand(("*.in",), "pip-compile", "--upgrade-package {name}")


def find_lock_command(lock: str | None) -> LockCommand | None:
    """Return the command that updates the lock file at a path; None if it is unknown.

    A requirements file counts if it was compiled (`ManifestIndex.source_of`).
    """
    name = (lock or "").rpartition("/")[2]
    if name.endswith(".txt"):
        return _COMPILED
    return next((locks[name] for locks in LOCKS.values() if name in locks), None)
