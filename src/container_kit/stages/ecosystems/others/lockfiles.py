"""Lock files of Bundler, Composer and Mix."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel

from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Lines, Unread, quoted
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed, parse_json

_GEM = re.compile(r"    ([\w.-]+) \(([^\s()]+)\)$")
_HEX = re.compile(r'\s*"([^"]+)": \{:(\w+), :?"?([^,"]+)"?, "([^"]+)"')
_NAME = re.compile(r"\s*,?")


def bundler(text: str) -> Iterator[Entry]:
    """Read `Gemfile.lock`: the gems of servers and repositories, not those of the folder itself (PATH)."""
    section = ""
    if "DEPENDENCIES" not in text:
        raise Malformed("no lock file of Bundler")
    for number, line in enumerate(text.splitlines(), start=1):
        if line[:1].strip():
            section = line.strip()
        elif section in {"GEM", "GIT"} and (found := _GEM.match(line)):
            yield Package("gem", found[1], found[2].partition("-")[0], line=number)


class _Composed(BaseModel):
    name: str
    version: str


class _ComposerLock(BaseModel):
    packages: list[_Composed]
    development: list[_Composed] = []


def composer(text: str) -> Iterator[Entry]:
    """Read `composer.lock`."""
    document = parse_json(text)
    lock = _ComposerLock.model_validate({**document, "development": document.get("packages-dev") or []})
    lines = Lines(text)
    for package in (*lock.packages, *lock.development):
        line = lines.of(f'"name": {quoted(package.name)}', _NAME)
        yield Package("composer", package.name, package.version, line=line)


def mix(text: str) -> Iterator[Entry]:
    """Read `mix.lock`."""
    if not text.lstrip().startswith("%{"):
        raise Malformed("no lock file of Mix")
    for number, line in enumerate(text.splitlines(), start=1):
        found = _HEX.match(line)
        if found and found[2] == "hex":
            yield Package("hex", found[3], found[4], line=number)
        elif found:
            yield Unread(f"{found[1]} comes from {found[2]}", number)
