"""Manifests with dependencies that no lock file next to them or above them pins."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

_NODE = ("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock")
_PYTHON = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "*requirements*.txt")


def _lines(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Manifest:
    name: str
    """The pattern of the file name."""
    depends: re.Pattern[str]
    """The expression of its dependencies."""
    locks: tuple[str, ...]
    """The patterns of the files that pin them."""
    shares: re.Pattern[str] | None = None
    """The expression that the manifest next to a lock file further up must match; None if any lock file counts."""


_MANIFESTS = (
    _Manifest(
        "package.json",
        re.compile(r'"(?:dev|optional)?[dD]ependencies"\s*:\s*\{\s*"'),
        _NODE,
        re.compile(r'"workspaces"\s*:'),
    ),
    _Manifest("pyproject.toml", _lines(r"^dependencies\s*=\s*\[\s*(?:#[^\n]*\n\s*)*[\"']"), _PYTHON),
    _Manifest(
        "pyproject.toml",
        _lines(r"^\[tool\.poetry\.(?:group\.[\w-]+\.)?dependencies\][ \t]*\n(?:python\s*=.*\n)?(?!python\s*=)[\w\"]"),
        _PYTHON,
    ),
    _Manifest("setup.py", re.compile(r"\binstall_requires\s*="), _PYTHON),
    _Manifest("setup.cfg", _lines(r"^install_requires\s*="), _PYTHON),
    _Manifest("Pipfile", _lines(r"^\[(?:dev-)?packages\][ \t]*\n\s*[\w\"]"), ("Pipfile.lock",)),
    _Manifest(
        "Cargo.toml",
        _lines(r"^\[(?:[^\]\n]*\.)?(?:\w+-)?dependencies\b[^\]\n]*\][ \t]*\n\s*\w"),
        ("Cargo.lock",),
        _lines(r"^\[workspace\]"),
    ),
    _Manifest("Gemfile", _lines(r"^[ \t]*gem\s"), ("Gemfile.lock",)),
    _Manifest("gems.rb", _lines(r"^[ \t]*gem\s"), ("gems.locked",)),
    _Manifest("composer.json", re.compile(r'"[\w.-]+/[\w.-]+"\s*:'), ("composer.lock",)),
    _Manifest(
        "build.gradle*",
        _lines(r"^[ \t]*\w*(?:[iI]mplementation|[aA]pi|[cC]ompile|[rR]untimeOnly|[cC]ompileOnly)\b\s*[(\"']"),
        ("gradle.lockfile",),
    ),
    _Manifest("libs.versions.toml", _lines(r"^\[libraries\]"), ("gradle.lockfile",)),
    _Manifest("*.csproj", re.compile(r"<PackageReference\b"), ("packages.lock.json",)),
    _Manifest("*.fsproj", re.compile(r"<PackageReference\b"), ("packages.lock.json",)),
    _Manifest("mix.exs", re.compile(r"\{\s*:\w+\s*,"), ("mix.lock",)),
)


NAMES = tuple(manifest.name for manifest in _MANIFESTS)
"""The patterns of all manifests."""


def is_manifest(path: str) -> bool:
    """Return whether a file is a manifest whose dependencies another file pins."""
    return any(_is(path, manifest) for manifest in _MANIFESTS)


def _is(path: str, manifest: _Manifest) -> bool:
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
        kinds = [manifest for manifest in _MANIFESTS if _is(path, manifest) and manifest.depends.search(content)]
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


def _is_locked(tree: _Tree, path: str, manifest: _Manifest) -> bool:
    own, *above = PurePosixPath(path).parents
    if _pins(tree, str(own), manifest):
        return True
    for folder in above:
        names = _pins(tree, str(folder), manifest)
        root = str(folder / PurePosixPath(path).name)
        if "pnpm-lock.yaml" in names or (names and manifest.shares is None):
            return True
        if names and root in tree.manifests and manifest.shares and manifest.shares.search(tree.text(root) or ""):
            return True
    return False


def _pins(tree: _Tree, folder: str, manifest: _Manifest) -> set[str]:
    names = tree.locks.get(folder, set())
    return {name for name in names if any(fnmatchcase(name, pattern) for pattern in manifest.locks)}
