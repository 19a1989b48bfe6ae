"""NuGet's lock file, and the versions in projects, in their central list and in `packages.config`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pydantic import BaseModel

from container_kit.stages.ecosystems.facets.dependencies.lockfile import OBJECT, Entry, Lines, Reader, Unread, quoted
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed, parse_json, parse_xml


class _Nuget(BaseModel):
    type: str = ""
    resolved: str | None = None


class _NugetLock(BaseModel):
    version: int
    dependencies: dict[str, dict[str, _Nuget]]


def nuget(text: str) -> Iterator[Entry]:
    """Read `packages.lock.json`."""
    lock, lines = _NugetLock.model_validate(parse_json(text)), Lines(text)
    for packages in lock.dependencies.values():
        for name, entry in packages.items():
            line = lines.of(quoted(name), OBJECT)
            if entry.resolved:
                yield Package("nuget", name, entry.resolved, line=line)
            elif entry.type != "Project":
                yield Unread(f"{name} has no version", line)


def _elements(root: str, element: str, name: str, version: str, text: str) -> Iterator[Entry]:
    project = parse_xml(text)
    if project.tag != root:
        raise Malformed(f"its root is not {root}")
    lines = Lines(text)
    for item in project.iter(element):
        package = item.get(name) or ""
        pinned = item.get(version) or item.findtext(version) or ""
        line = lines.of(f'{name}="{package}"')
        if package and pinned[:1].isdigit() and "*" not in pinned:
            yield Package("nuget", package, pinned.strip(), line=line)
        elif package:
            yield Unread(f"{package} has no exact version", line)


config: Reader = partial(_elements, "packages", "package", "id", "version")
"""Reads `packages.config`, which names every package."""
central: Reader = partial(_elements, "Project", "PackageVersion", "Include", "Version")
"""Reads `Directory.Packages.props`."""
project: Reader = partial(_elements, "Project", "PackageReference", "Include", "Version")
"""Reads what a project requires itself."""
