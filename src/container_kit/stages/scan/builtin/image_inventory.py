"""The packages in an image: its layers applied in order, without files that later layers remove."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO

import anyio.from_thread

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies import packages
from container_kit.stages.ecosystems.facets.dependencies.packages import Package, System

_MOST_BYTES = 64 * 2**20
_IN_MEMORY = 16 * 2**20
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_CHECKED_EVERY = 2000
_SYSTEM = ("etc/os-release", "usr/lib/os-release")
_READERS: tuple[tuple[re.Pattern[str], Callable[[str], Iterator[Package]]], ...] = (
    (re.compile(r"var/lib/dpkg/status(\.d/[^/]+(?<!\.md5sums))?$"), packages.dpkg),
    (re.compile(r"(usr/)?lib/apk/db/installed$"), packages.apk),
    (re.compile(r"(.*/)?[^/]+\.dist-info/METADATA$"), packages.python),
    (re.compile(r"(.*/)?[^/]+\.egg-info(/PKG-INFO)?$"), packages.python),
    (re.compile(r"(.*/)?node_modules/(@[^/]+/)?[^/]+/package\.json$"), packages.node),
)
_RPM = re.compile(r"(var/lib|usr/lib/sysimage)/rpm/(Packages|rpmdb)[^/]*$")


class UnreadableArchive(Exception):
    """The archive is not a valid export of an image; the text names the problem."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The packages in an image or folder."""

    packages: tuple[Package, ...] = ()
    system: System | None = None
    unread: tuple[str, ...] = ()
    """Files that could not be read, one line each."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The packages of one file."""

    packages: tuple[Package, ...] = ()
    system: System | None = None
    unread: str | None = None


@dataclass(slots=True)
class _Layer:
    """The packages that one layer adds, and the paths that it hides in the layers below."""

    found: dict[str, _Found] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    """Files and folders that were removed or replaced."""
    emptied: set[str] = field(default_factory=set)
    """Folders whose earlier content was removed; the empty name is the root."""


def read(archive: Path) -> Inventory:
    """Read the packages of an image from its archive, as `docker save` writes it.

    Call it in a worker thread of anyio, so that it can be cancelled.

    Raises:
        UnreadableArchive: The archive is not valid.
    """
    visible: dict[str, _Found] = {}
    try:
        with tarfile.open(archive) as tar:
            manifest = json.load(_member(tar, "manifest.json"))[0]
            configuration = json.load(_member(tar, manifest["Config"]))
            for name, diff_id in zip(manifest["Layers"], configuration["rootfs"]["diff_ids"], strict=True):
                visible = _over(visible, _layer(_member(tar, name), visible), diff_id)
    except (tarfile.TarError, OSError, ValueError, LookupError, TypeError, EOFError) as error:
        raise UnreadableArchive(f"the image's archive cannot be read: {error}") from error
    files = [visible[path] for path in sorted(visible)]
    return Inventory(
        packages=tuple(package for file in files for package in file.packages),
        system=next((visible[path].system for path in _SYSTEM if path in visible and visible[path].system), None),
        unread=tuple(dict.fromkeys(file.unread for file in files if file.unread)),
    )


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def _over(below: dict[str, _Found], layer: _Layer, diff_id: str) -> dict[str, _Found]:
    """Apply a layer to the visible files (OCI image specification, "Applying Changesets")."""
    visible = {path: found for path, found in below.items() if not _is_hidden(path, layer)}
    for path, found in layer.found.items():
        visible[path] = replace(found, packages=_dated(found.packages, below.get(path), diff_id))
    return visible


def _is_hidden(path: str, layer: _Layer) -> bool:
    if path in layer.hidden:
        return True
    folders = [str(folder) for folder in PurePosixPath(path).parents]
    return any(folder in layer.hidden or ("" if folder == "." else folder) in layer.emptied for folder in folders)


def _dated(found: tuple[Package, ...], before: _Found | None, diff_id: str) -> tuple[Package, ...]:
    """Set the layer of each package. A package that the file listed before belongs to the earlier layer."""
    known = {_same(package): package.layer for package in before.packages} if before else {}
    return tuple(replace(package, layer=known.get(_same(package), diff_id)) for package in found)


def _same(package: Package) -> tuple[str, ...]:
    return (package.name, package.version, package.architecture or "", package.path)


def _layer(file: IO[bytes], below: dict[str, _Found]) -> _Layer:
    layer = _Layer()
    standing = below.keys() | {str(folder) for path in below for folder in PurePosixPath(path).parents}
    with tarfile.open(fileobj=file, mode="r|*") as tar:
        for number, member in enumerate(tar):
            if number % _CHECKED_EVERY == 0:
                anyio.from_thread.check_cancelled()
            _take(layer, tar, member, standing)
    return layer


def _take(layer: _Layer, tar: tarfile.TarFile, member: tarfile.TarInfo, standing: set[str]) -> None:
    path = member.name.removeprefix("./").strip("/")
    folder, _, name = path.rpartition("/")
    if name == _OPAQUE:
        layer.emptied.add(folder)
    elif name.startswith(_WHITEOUT):
        layer.hidden.add(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
    elif not member.isdir():
        found = _linked(layer, member) if member.islnk() else _found(tar, member, path)
        if found is not None:
            layer.found[path] = found
        elif path in standing:  # a link or another file replaced it
            layer.hidden.add(path)


def _linked(layer: _Layer, member: tarfile.TarInfo) -> _Found | None:
    """Return the packages of a hard link, which are those of its other name in the same layer."""
    return layer.found.get(member.linkname.removeprefix("./").strip("/"))


def _found(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> _Found | None:
    if not member.isfile():
        return None
    if packages.is_jar(path):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
            shutil.copyfileobj(_content(tar, member), copy)
            return _Found(tuple(filter(packages.is_sound, packages.jar(copy, path))))
    if path in _SYSTEM:
        return _Found(system=packages.system(_text(tar, member)))
    if _RPM.match(path):
        return _Found(unread="packages of rpm cannot be read")
    for pattern, reader in _READERS:
        if pattern.match(path):
            if member.size > _MOST_BYTES:
                return _Found(unread=f"{path} is too large to be read")
            valid = filter(packages.is_sound, reader(_text(tar, member)))
            return _Found(tuple(replace(package, path=path) for package in valid))
    return None


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    return _content(tar, member).read(_MOST_BYTES).decode(errors="replace")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    if file is None:
        raise KeyError(member.name)
    return file
