"""Lock files in TOML that list packages as tables: Poetry, uv, PDM, pylock and Cargo."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Lines, Reader, Unread, quoted
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed, parse_toml

_PLACES = {"editable", "virtual", "directory", "path"}


def _tables(ecosystem: str, key: str, text: str) -> Iterator[Entry]:
    packages = parse_toml(text).get(key, [])
    if not isinstance(packages, list):
        raise Malformed(f"{key} is no list of packages")
    lines = Lines("\n" + text)
    for package in packages:
        name, version = package["name"], package.get("version")
        line = lines.of(f"\nname = {quoted(name)}") - 1
        if _is_local(ecosystem, package):
            continue
        yield Package(ecosystem, name, str(version), line=line) if version else Unread(f"{name} has no version", line)


def _is_local(ecosystem: str, package: dict[str, Any]) -> bool:
    """Whether it is the project itself, or a folder of it."""
    source = package.get("source")
    if ecosystem == "cargo":
        return source is None
    if isinstance(source, dict) and (source.get("type") in {"directory", "file"} or _PLACES & source.keys()):
        return True
    return bool(_PLACES & package.keys())


python: Reader = partial(_tables, "pypi", "package")
"""Reads `poetry.lock`, `uv.lock` or `pdm.lock`."""
pylock: Reader = partial(_tables, "pypi", "packages")
"""Reads `pylock.toml` (PEP 751)."""
cargo: Reader = partial(_tables, "cargo", "package")
"""Reads `Cargo.lock`."""
