"""Packages, and reading the installed ones from the files that package managers leave in an image."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from typing import IO

from container_kit.stages.contract import expressions as re

_MOST_JAR_DEPTH = 3
_MOST_JAR_BYTES = 512 * 2**20
_PLAIN = re.compile(r"[\w.+~-]+")
_DEBIAN_SOURCE = re.compile(r"^(\S+)(?:\s+\((.+)\))?$")


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package."""

    ecosystem: str
    """Its type in a package URL: `deb`, `apk`, `pypi`, `npm`, `maven`, `golang`, `cargo`, …"""
    name: str
    """For Maven `group:artifact`."""
    version: str
    source: str | None = None
    """The source package that it was built from (dpkg, apk), which advisories name."""
    source_version: str | None = None
    architecture: str | None = None
    path: str = ""
    """The file in the image, or below the folder, that lists it."""
    line: int = 0
    """Its line in a lock file or manifest; 0 if that is not known."""
    layer: str | None = None
    """The `diff_id` of the layer that brought it."""

    @property
    def where(self) -> str | None:
        """`file:line` of what pins it."""
        return f"{self.path}:{self.line}" if self.line else None

    @property
    def advised_as(self) -> tuple[str, str]:
        """The name and version that advisories speak of."""
        return self.source or self.name, self.source_version or self.version


def is_sound(package: Package) -> bool:
    """Return whether a package's name and version are texts."""
    if not isinstance(package.name, str) or not isinstance(package.version, str):
        return False
    try:
        own = re.split(r"[/:]", package.name)[-1].strip(" @")
        return bool(own and package.version.strip() and package.name.encode() and package.version.encode())
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape
        return False


@dataclass(frozen=True, slots=True)
class System:
    """The distribution (`/etc/os-release`)."""

    id: str
    version: str


def system(text: str) -> System | None:
    """Read `/etc/os-release`."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    name, version = (pairs.get(key, "").strip().strip("\"'") for key in ("ID", "VERSION_ID"))
    return System(name, version) if _PLAIN.fullmatch(name) and _PLAIN.fullmatch(version or "-") else None


def dpkg(text: str) -> Iterator[Package]:
    """Read dpkg's status file; packages that are removed but configured are left out."""
    for stanza in _stanzas(text, ":"):
        if "Package" not in stanza or "Version" not in stanza:
            continue
        if not stanza.get("Status", "ok installed").endswith("ok installed"):
            continue
        built_from = _DEBIAN_SOURCE.match(stanza.get("Source", stanza["Package"]))
        source, version = built_from.groups() if built_from else (stanza["Package"], None)
        yield Package("deb", stanza["Package"], stanza["Version"], source, version, stanza.get("Architecture"))


def apk(text: str) -> Iterator[Package]:
    """Read apk's database of installed packages."""
    for stanza in _stanzas(text, ":"):
        if "P" in stanza and "V" in stanza:
            yield Package("apk", stanza["P"], stanza["V"], stanza.get("o"), None, stanza.get("A"))


def _stanzas(text: str, separator: str) -> Iterator[dict[str, str]]:
    """Paragraphs of `name: value`; continued lines are of no use here."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = (line.split(separator, 1) for line in paragraph.splitlines() if line[:1].strip() and separator in line)
        yield {name: value.strip() for name, value in lines}


def python(text: str) -> Iterator[Package]:
    """Read the metadata of an installed Python distribution (Core metadata)."""
    headers = HeaderParser().parsestr(text)
    name, version = headers.get("Name"), headers.get("Version")
    if name and version:
        yield Package("pypi", str(name), str(version))


def node(text: str) -> Iterator[Package]:
    """Read the package.json of an installed Node package."""
    try:
        described = json.loads(text)
    except ValueError:
        return
    if isinstance(described, dict) and described.get("name") and described.get("version"):
        yield Package("npm", str(described["name"]), str(described["version"]))


def jar(file: IO[bytes], path: str, depth: int = 0) -> Iterator[Package]:
    """Read the Maven coordinates in a jar and in the jars inside it; without coordinates, use the file name."""
    if depth > _MOST_JAR_DEPTH:
        return
    try:
        with zipfile.ZipFile(file) as archive:
            yield from _entries(archive, path, depth)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError):
        return


def _entries(archive: zipfile.ZipFile, path: str, depth: int) -> Iterator[Package]:
    known = False
    for entry in archive.infolist():
        if entry.file_size > _MOST_JAR_BYTES:
            continue
        if entry.filename.endswith("/pom.properties"):
            for package in _pom(archive.read(entry)):
                known = True
                yield replace(package, path=path)
        elif is_jar(entry.filename):
            yield from jar(io.BytesIO(archive.read(entry)), f"{path}!/{entry.filename}", depth + 1)
    if not known and (named := re.match(r"(.+?)-(\d[\w.]*(?:-[\w.]+)*)\.jar$", path.rpartition("/")[2])):
        yield Package("maven", named.group(1), named.group(2), path=path)


def _pom(content: bytes) -> Iterator[Package]:
    lines = content.decode(errors="replace").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    group, artifact, version = (pairs.get(key, "").strip() for key in ("groupId", "artifactId", "version"))
    if group and artifact and version:
        yield Package("maven", f"{group}:{artifact}", version)


def is_jar(name: str) -> bool:
    """Return whether a file is an archive of Java classes, by its name."""
    return name.endswith((".jar", ".war", ".ear", ".par"))
