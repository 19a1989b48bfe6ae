"""Lock files and manifests that pin: one small reader for each kind, and the table of their names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from container_kit.stages.scan.lockfiles import go, javascript, jvm, others, python, tables
from container_kit.stages.scan.lockfiles.entries import Entry, Reader, Unread

__all__ = ["Entry", "Reader", "Unread", "is_known_unread", "reader_of"]

_READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (("package-lock.json", "npm-shrinkwrap.json"), javascript.npm),
    (("yarn.lock",), javascript.yarn),
    (("pnpm-lock.yaml",), javascript.pnpm),
    (("bun.lock",), javascript.bun),
    (python.REQUIREMENTS, python.requirements),
    (("poetry.lock", "uv.lock", "pdm.lock"), tables.python),
    (("pylock.toml", "pylock.*.toml"), tables.pylock),
    (("Pipfile.lock",), python.pipenv),
    (("go.mod",), go.modules),
    (("Cargo.lock",), tables.cargo),
    (("Gemfile.lock", "gems.locked"), others.bundler),
    (("composer.lock",), others.composer),
    (("packages.lock.json",), others.nuget),
    (("gradle.lockfile", "buildscript-gradle.lockfile"), jvm.gradle),
    (("pom.xml",), jvm.maven),
    (("mix.lock",), others.mix),
)
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


def reader_of(path: str) -> Reader | None:
    """The reader for a file, by its name."""
    ends = ("/".join(path.split("/")[-parts:]) for parts in (1, 2))
    names = tuple(dict.fromkeys(ends))
    return next((read for patterns, read in _READERS if any(_is_one(names, pattern) for pattern in patterns)), None)


def _is_one(names: tuple[str, ...], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names if name.count("/") == pattern.count("/"))


def is_known_unread(path: str) -> bool:
    """Whether a file is a lock file for which there is no reader here."""
    return path.rpartition("/")[2] in _UNREAD
