"""Lock files of npm, Yarn and Bun."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import ARRAY, OBJECT, Entry, Lines, Unread, quoted
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed, parse_json

_LOCAL = ("workspace:", "link:", "file:", "portal:", "root:")
_INSTALLED = "node_modules/"


class _Installed(BaseModel):
    name: str | None = None
    """Where it is another than its folder's: an alias."""
    version: str | None = None
    link: bool = False


class _Dependency(BaseModel):
    version: str | None = None
    dependencies: dict[str, _Dependency] = {}


class _NpmLock(BaseModel):
    packages: dict[str, _Installed]
    """By folder; since version 2."""


class _OldNpmLock(BaseModel):
    dependencies: dict[str, _Dependency] = {}


def npm(text: str) -> Iterator[Entry]:
    """Read `package-lock.json` or `npm-shrinkwrap.json`, versions 1 to 3."""
    document = parse_json(text)
    if not isinstance(document, dict) or "lockfileVersion" not in document:
        raise Malformed("no lock file of npm")
    lines = Lines(text)
    if "packages" not in document:
        yield from _old(_OldNpmLock.model_validate(document).dependencies, lines)
        return
    for path, entry in _NpmLock.model_validate(document).packages.items():
        line = lines.of(quoted(path), OBJECT)
        if _INSTALLED in path and entry.version and not entry.link:
            yield Package("npm", entry.name or path.rpartition(_INSTALLED)[2], entry.version, line=line)


def _old(dependencies: dict[str, _Dependency], lines: Lines) -> Iterator[Entry]:
    for name, entry in dependencies.items():
        line = lines.of(quoted(name), OBJECT)
        yield from resolved(name, entry.version or "", line)
        yield from _old(entry.dependencies, lines)


def resolved(name: str, version: str, line: int) -> Iterator[Entry]:
    """Yield a package by its name and the resolved version, alias or location."""
    if version.startswith("npm:"):
        name, version = split(version.removeprefix("npm:"))
    if version[:1].isdigit():
        yield Package("npm", name, version, line=line)
    elif not version.startswith(_LOCAL):
        yield Unread(f"{name} has no version of a registry", line)


def split(descriptor: str) -> tuple[str, str]:
    """`@scope/name@range` in two."""
    name, _, requested = descriptor[1:].partition("@")
    return descriptor[:1] + name, requested


_YARN_VERSION = re.compile(r'  version:? "?([^"\s]+)"?$')
_YARN_RESOLUTION = re.compile(r'  resolution: "?([^"]+)"?$')


def yarn(text: str) -> Iterator[Entry]:
    """Read `yarn.lock`, the classic one or that of Yarn 2 and later."""
    head, start, known = "", 0, dict[str, str]()
    for number, line in enumerate([*text.splitlines(), "end:"], start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            for key, form in (("version", _YARN_VERSION), ("resolution", _YARN_RESOLUTION)):
                if match := form.match(line):
                    known[key] = match[1]
            continue
        if not line.endswith(":"):
            raise Malformed("no lock file of Yarn", number)
        yield from _of_yarn(head, start, known)
        head, start, known = line.removesuffix(":"), number, {}


def _of_yarn(head: str, line: int, known: dict[str, str]) -> Iterator[Entry]:
    if head in {"", "__metadata"}:
        return
    if "version" not in known:
        raise Malformed("an entry without a version", line)
    name, requested = split(known.get("resolution") or head.split(", ")[0].strip('"'))
    if requested.startswith("npm:") and "@" in requested:  # the classic lock shows an alias only in its range
        name = split(requested.removeprefix("npm:"))[0]
    if not requested.startswith(_LOCAL):
        yield Package("npm", name, known["version"], line=line)


class _BunLock(BaseModel):
    packages: dict[str, list[Any]] = {}


def bun(text: str) -> Iterator[Entry]:
    """Read `bun.lock`."""
    document = parse_json(text)
    if not isinstance(document, dict) or "lockfileVersion" not in document:
        raise Malformed("no lock file of Bun")
    lines = Lines(text)
    for key, entry in _BunLock.model_validate(document).packages.items():
        name, version = split(str(entry[0]))
        yield from resolved(name, version, lines.of(quoted(key), ARRAY))
