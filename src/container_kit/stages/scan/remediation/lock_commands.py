"""How each package manager writes its lock file anew with a newer version, also of what another dependency brings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LockCommand:
    """A package manager's way to a newer version."""

    manifests: tuple[str, ...]
    """The files that people edit, as patterns."""
    run: str
    """The command that writes the lock file."""
    each: str = ""
    """What is added to it for each package; `{name}` and `{version}` are filled in."""
    force: str | None = None
    """Where in the manifest the version of what another dependency brings is set; None where the command is enough."""

    def command(self, packages: Iterable[tuple[str, str]]) -> str:
        """The command for some packages, each a name and the version that it shall at least have."""
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
            force="a `PackageReference` of its own",
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
"""By ecosystem, the names of lock files with the package managers that write them."""
_COMPILED = LockCommand(("*.in",), "pip-compile", "--upgrade-package {name}")


def find_lock_command(lock: str | None) -> LockCommand | None:
    """How the lock file at this path is written anew; None where that is not known.

    A requirements file is one where it was compiled (`Manifests.source_of`).
    """
    name = (lock or "").rpartition("/")[2]
    if name.endswith(".txt"):
        return _COMPILED
    return next((locks[name] for locks in LOCKS.values() if name in locks), None)
