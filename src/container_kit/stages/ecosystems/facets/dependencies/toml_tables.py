"""Reads lock files in TOML that list packages as an array of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Lines, Unread, quoted
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed, parse_toml


def read_tables(purl_type: str, key: str, is_local: Callable[[dict[str, Any]], bool], text: str) -> Iterator[Entry]:
    """Yield the packages of a lock file.

    Args:
        purl_type: The type in package URLs.
        key: The array of tables.
        is_local: Returns whether a package is the project itself or a folder of it.
        text: The lock file.
    """
    packages = parse_toml(text).get(key, [])
    if not isinstance(packages, list):
        raise Malformed(f"{key} is not a list of packages")
    lines = Lines("\n" + text)
    for package in packages:
        name, version = package["name"], package.get("version")
        line = lines.of(f"\nname = {quoted(name)}") - 1
        if is_local(package):
            continue
        yield Package(purl_type, name, str(version), line=line) if version else Unread(f"{name} has no version", line)
