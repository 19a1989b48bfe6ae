"""Requirements files, and the lock files of Poetry, uv, PDM, Pipenv and PEP 751."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from pydantic import BaseModel

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.file_walk import ends_like
from container_kit.stages.ecosystems.facets.dependencies.lockfile import OBJECT, Entry, Lines, Reader, Unread, quoted
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.ecosystems.facets.dependencies.toml_tables import read_tables
from container_kit.stages.formats.documents import parse_json

REQUIREMENTS = ("requirements*.txt", "*requirements.txt", "requirements/*.txt", "constraints.txt")
_NAME = r"([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*"
_PINNED = re.compile(rf"{_NAME}\(?\s*(?:[<>!~]=?[^;,]+,\s*)*={{2,3}}\s*([^\s,;*)]+)\s*\)?(?:,[^;]*)?\s*(?:;.*|--.*)?$")
_COMMENT = re.compile(r"(?:^|\s)#")
_NAMED = re.compile(_NAME)
_INCLUDED = re.compile(r"(?:-r|-c|--requirement|--constraint)[ =]*(\S+)")


def requirements(text: str) -> Iterator[Entry]:
    """Read a requirements file of pip: what is pinned with `==`."""
    for number, line in _logical(text):
        if match := _PINNED.match(line):
            yield Package("pypi", match[1], match[2], line=number)
        elif included := _INCLUDED.match(line):
            yield from _other(included[1], number)
        elif not line.startswith(("-", ".", "/")) and (named := _NAMED.match(line)):
            yield Unread(f"{named[1]} has no exact version", number)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their numbers, continued ones joined, without comments and empty ones."""
    started, joined = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        started = started or number
        joined += _COMMENT.split(line, 1)[0].rstrip()
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        if joined.strip():
            yield started, " ".join(joined.split())  # one space at most, which keeps the expressions linear
        started, joined = 0, ""


def _other(name: str, line: int) -> Iterator[Entry]:
    """Yield an included file as unread, unless its name is one that is read anyway."""
    if not any(ends_like(name, pattern) for pattern in REQUIREMENTS):
        yield Unread(f"{name} is not read", line)


class _Pinned(BaseModel):
    version: str | None = None
    editable: bool = False
    path: str | None = None


class _PipfileLock(BaseModel):
    default: dict[str, _Pinned]
    develop: dict[str, _Pinned] = {}


def pipenv(text: str) -> Iterator[Entry]:
    """Read `Pipfile.lock`."""
    lock, lines = _PipfileLock.model_validate(parse_json(text)), Lines(text)
    for name, entry in (*lock.default.items(), *lock.develop.items()):
        line = lines.of(quoted(name), OBJECT)
        if entry.version:
            yield Package("pypi", name, entry.version.lstrip("="), line=line)
        elif not entry.editable and not entry.path:
            yield Unread(f"{name} has no version", line)


_LOCAL_KEYS = {"editable", "virtual", "directory", "path"}


def _is_local(package: dict[str, Any]) -> bool:
    source = package.get("source")
    if isinstance(source, dict) and (source.get("type") in {"directory", "file"} or _LOCAL_KEYS & source.keys()):
        return True
    return bool(_LOCAL_KEYS & package.keys())


packages: Reader = partial(read_tables, "pypi", "package", _is_local)
"""Reads `poetry.lock`, `uv.lock` or `pdm.lock`."""
pylock: Reader = partial(read_tables, "pypi", "packages", _is_local)
"""Reads `pylock.toml` (PEP 751)."""
