"""Finding the manifest line of a package in a source tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# By ecosystem, those that people edit first, then lock files that a tool writes.
_EDITED: dict[str, tuple[str, ...]] = {
    "pypi": (
        "requirements*.txt",
        "requirements*.in",
        "requirements/*.txt",
        "pyproject.toml",
        "Pipfile",
        "setup.cfg",
        "setup.py",
    ),
    "npm": ("package.json",),
    "maven": ("pom.xml", "build.gradle", "build.gradle.kts", "gradle/libs.versions.toml"),
    "golang": ("go.mod",),
    "gem": ("Gemfile", "*.gemspec"),
    "cargo": ("Cargo.toml",),
    "nuget": ("*.csproj", "Directory.Packages.props", "packages.config"),
    "composer": ("composer.json",),
}
_MOST_BYTES = 2 * 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a package can be changed."""

    where: str
    """`file:line`, or the file alone where the package is not named in it."""
    direct: bool
    """Whether the file names the package; otherwise another dependency brings it."""


def find(root: Path, module: str, ecosystem: str | None, package: str) -> Place | None:
    """Find the line that names a package, else the manifest where a line for it belongs.

    Args:
        root: The source tree.
        module: The module's folder, relative to the root.
        ecosystem: The type in a package URL.
        package: The package's name, for Maven `group:artifact`.
    """
    files = _files(root, module, ecosystem or "")
    named = re.compile(_pattern(package), re.IGNORECASE)
    for file in files:
        for number, line in enumerate(_lines(file), start=1):
            if named.search(line):
                return Place(f"{file.relative_to(root).as_posix()}:{number}", direct=True)
    return Place(files[0].relative_to(root).as_posix(), direct=False) if files else None


def _files(root: Path, module: str, ecosystem: str) -> list[Path]:
    folders = [root] if module == "." else [root / module, root]
    inside = [folder for folder in folders if folder.is_dir() and folder.resolve().is_relative_to(root)]
    found = [
        path
        for folder in inside
        for pattern in _EDITED.get(ecosystem, ())
        for path in sorted(folder.glob(pattern))
        if path.is_file() and not path.is_symlink()
    ]
    return list(dict.fromkeys(found))


def _lines(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8", errors="replace") as content:
            return content.read(_MOST_BYTES).splitlines()
    except OSError:
        return []


def _pattern(package: str) -> str:
    """The name on its own; Python's `-`, `_` and `.` are one (PEP 503), Maven's artifact stands without its group."""
    name = package.rpartition(":")[2]
    parts = [re.escape(part) for part in re.split(r"[-_.]+", name) if part]
    return rf"(?<![\w.@/-]){'@?' if package.startswith('@') else ''}{'[-_.]+'.join(parts)}(?![\w-])"
