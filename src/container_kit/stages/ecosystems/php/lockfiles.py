"""The lock file of Composer."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Lines, quoted
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import parse_json

_NAME = re.compile(r"\s*,?")


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
