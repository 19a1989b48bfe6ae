"""The dependencies of a folder, from its lock files and pinning manifests, found in one bounded walk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import anyio.from_thread
from pydantic import ValidationError

from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.dependencies import file_walk as walk
from container_kit.stages.ecosystems.facets.dependencies.lockfile import BROKEN, Reader, Unread
from container_kit.stages.ecosystems.facets.dependencies.packages import Package, is_sound
from container_kit.stages.formats.documents import Malformed
from container_kit.stages.formats.files import decoded, read_inside
from container_kit.stages.scan.builtin import unlocked
from container_kit.stages.scan.builtin.image_inventory import Inventory

MOST_READ = 5_000
"""The maximum number of files."""
MOST_BYTES = 16 * 2**20
"""The maximum size of a lock file."""
MOST_MANIFEST_BYTES = 2 * 2**20
MOST_TOGETHER = 256 * 2**20
"""The maximum size of all files together."""
MOST_PACKAGES = 200_000
_TOLD = 3
_UNKNOWN = "the versions of its packages are not known"


@dataclass(slots=True)
class _Found:
    packages: dict[tuple[str, ...], Package] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Lock files that only other scanners can read."""
    bytes: int = 0
    """The bytes read so far."""

    def add(self, path: str, read: Reader, text: str) -> None:
        """Add the packages of a file, and record its unreadable parts."""
        odd: list[Unread] = []
        try:
            for entry in read(text):
                if isinstance(entry, Unread):
                    odd.append(entry)
                elif not is_sound(entry):
                    odd.append(Unread("a package without a valid name or version", entry.line))
                else:
                    key = (path, entry.ecosystem, entry.name, entry.version)
                    self.packages.setdefault(key, replace(entry, path=path))
        except Malformed as error:
            self.unread.append(f"{path}{f':{error.line}' if error.line else ''} cannot be read: {error.reason}")
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            self.unread.append(f"{path} cannot be read: {place[:100]}: {first['msg']}")
        except BROKEN:
            self.unread.append(f"{path} cannot be read: its structure is not valid")
        self.unread += _few(path, odd)


def _few(path: str, odd: list[Unread]) -> Iterator[str]:
    for one in odd[:_TOLD]:
        yield f"{path}:{one.line}: {one.reason}"
    if len(odd) > _TOLD:
        yield f"{path}: {len(odd) - _TOLD} more like these"


def read(root: Path) -> Inventory:
    """Read the packages that a folder's lock files and manifests pin. Links that lead outside are not followed.

    Call it in a worker thread of anyio, so that it can be cancelled.
    """
    found = _look(root)
    return Inventory(tuple(found.packages.values()), None, _unique([*found.unread, *found.foreign]))


def gaps(root: Path) -> tuple[str, ...]:
    """List the gaps that every scanner has: dependencies without versions, and unreadable files.

    Call it like `read`.
    """
    return _unique(_look(root).unread)


def _unique(lines: Iterable[str]) -> tuple[str, ...]:
    """Remove duplicate lines, and replace characters that are not valid in UTF-8."""
    return tuple(dict.fromkeys(line.encode(errors="replace").decode() for line in lines))


def _look(root: Path) -> _Found:
    found = _Found()
    real_root = os.path.realpath(root)
    look_up = anyio.from_thread.check_cancelled
    ecosystems = catalog()
    names = walk.name_expression(ecosystems.dependency_files())
    paths = walk.files(real_root, names, ecosystems.dependency_folders, found.unread.append, look_up)
    wanted, manifests = _separate(paths, found)
    for path in wanted:
        look_up()
        reader = catalog().lock_reader(path)
        text = _text(real_root, path, found, MOST_BYTES)
        if reader and text is not None:
            found.add(path, reader, text)
        if len(found.packages) > MOST_PACKAGES:
            found.unread.append(f"more than {MOST_PACKAGES} packages: what comes after {path} was not looked at")
            break
    read = cache(lambda path: _text(real_root, path, found, MOST_MANIFEST_BYTES))
    for path in unlocked.find(manifests, wanted, read):
        literal = catalog().manifest_reader(path)
        if literal:
            found.add(path, literal, read(path) or "")
        known = "only its exact versions are known" if literal else _UNKNOWN
        found.unread.append(f"{path} has no lock file, so {known}")
    return found


def _separate(paths: Iterable[str], found: _Found) -> tuple[list[str], list[str]]:
    """Separate the files that pin from the manifests that may need such a file."""
    pinning: list[str] = []
    manifests: list[str] = []
    for path in paths:
        if len(pinning) + len(manifests) >= MOST_READ:
            found.unread.append(f"more than {MOST_READ} lock files and manifests: the rest was not looked at")
            break
        if catalog().lock_reader(path):
            pinning.append(path)
        elif path.rpartition("/")[2] in catalog().unread_lock_files:
            found.foreign.append(f"{path} is a lock file that the built-in matcher cannot read")
        elif unlocked.is_manifest(path):
            manifests.append(path)
    return pinning, manifests


def _text(real_root: str, path: str, found: _Found, limit: int) -> str | None:
    if found.bytes > MOST_TOGETHER:
        found.unread.append(f"more than {MOST_TOGETHER >> 20} MiB of lock files and manifests: the rest was not read")
        return None
    try:
        content = read_inside(real_root, path, limit)
    except OSError as error:
        found.unread.append(f"{path} cannot be read: {error.strerror}")
        return None
    found.bytes += len(content)
    if len(content) > limit:
        found.unread.append(f"{path} is larger than {limit >> 20} MiB")
        return None
    return decoded(content)
