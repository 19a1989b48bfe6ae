"""Lock files and manifests that pin: one small reader for each kind, and the table of their names."""

from __future__ import annotations

from container_kit.stages.ecosystems.dotnet import lockfiles as dotnet
from container_kit.stages.ecosystems.facets.dependencies import toml_tables as tables
from container_kit.stages.ecosystems.facets.dependencies.file_walk import ends_like, named
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Reader, Unread
from container_kit.stages.ecosystems.go import lockfiles as go
from container_kit.stages.ecosystems.javascript import lockfiles as javascript
from container_kit.stages.ecosystems.javascript import pnpm_lock as pnpm
from container_kit.stages.ecosystems.jvm import lockfiles as jvm
from container_kit.stages.ecosystems.others import lockfiles as others
from container_kit.stages.ecosystems.python import lockfiles as python
from container_kit.stages.formats.documents import Malformed
from container_kit.stages.scan.builtin import unlocked

__all__ = ["BROKEN", "NAMES", "Entry", "Reader", "Unread", "is_known_unread", "literal_reader_of", "reader_of"]

_READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("package-lock.json", "npm-shrinkwrap.json"), javascript.npm),
    (("yarn.lock",), javascript.yarn),
    (("pnpm-lock.yaml",), pnpm.pnpm),
    (("bun.lock",), javascript.bun),
    (python.REQUIREMENTS, python.requirements),
    (("poetry.lock", "uv.lock", "pdm.lock"), tables.python),
    (("pylock.toml", "pylock.*.toml"), tables.pylock),
    (("Pipfile.lock",), python.pipenv),
    (("go.mod",), go.modules),
    (("Cargo.lock",), tables.cargo),
    (("Gemfile.lock", "gems.locked"), others.bundler),
    (("composer.lock",), others.composer),
    (("packages.lock.json",), dotnet.nuget),
    (("packages.config",), dotnet.config),
    (("Directory.Packages.props",), dotnet.central),
    (("gradle.lockfile", "buildscript-gradle.lockfile"), jvm.gradle),
    (("pom.xml",), jvm.maven),
    (("mix.lock",), others.mix),
)
_LITERAL: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("*.csproj", "*.fsproj"), dotnet.project),
    (("build.gradle", "build.gradle.kts"), jvm.script),
    (("libs.versions.toml",), jvm.catalog),
)
"""Manifests that people write exact versions into where they have no lock file."""
_UNREAD = frozenset(
    [
        "bun.lockb",
        "conan.lock",
        "conda-lock.yml",
        "deno.lock",
        "Package.resolved",
        "paket.lock",
        "Podfile.lock",
        "pubspec.lock",
        "rebar.lock",
        "renv.lock",
        "stack.yaml.lock",
    ]
)


BROKEN = (OSError, Malformed, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading a file raises that cannot be read or has not the form that it should have."""
NAMES = named([*(name for names, _ in _READERS for name in names), *_UNREAD, *unlocked.NAMES])
"""The names of all files that tell something of dependencies."""


def reader_of(path: str) -> Reader | None:
    """The reader for a file, by its name."""
    return next((read for names, read in _READERS if any(ends_like(path, name) for name in names)), None)


def literal_reader_of(path: str) -> Reader | None:
    """The reader for the versions that stand in a manifest that no lock file pins."""
    return next((read for names, read in _LITERAL if any(ends_like(path, name) for name in names)), None)


def is_known_unread(path: str) -> bool:
    """Whether a file is a lock file for which there is no reader here."""
    return path.rpartition("/")[2] in _UNREAD
