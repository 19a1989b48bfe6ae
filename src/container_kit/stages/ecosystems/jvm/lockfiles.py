"""Gradle's lock file, and the versions in its scripts and catalogs and in Maven's project files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Entry, Lines, Unread
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.formats.documents import Malformed, parse_toml, parse_xml

_LOCKED = re.compile(r"([^:\s]+):([^:\s]+):([^=\s]+)(?:=.*)?$")
_COORDINATES = re.compile(r"""["']([\w.-]{1,200}):([\w.-]{1,200}):([^"':@\s]{1,100})(?:[:@][^"'\s]*)?["']""")
_EQUALS = re.compile(r"\s*=")
_PROPERTY = re.compile(r"\$\{([^}]+)\}")
_OWN = ("groupId", "version")
_SPACE = re.compile(r"\s*</artifactId>")


def gradle(text: str) -> Iterator[Entry]:
    """Read `gradle.lockfile`."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith(("#", "empty=")):
            continue
        if not (match := _LOCKED.match(line.strip())):
            raise Malformed("no lock file of Gradle", number)
        yield Package("maven", f"{match[1]}:{match[2]}", match[3], line=number)


def script(text: str) -> Iterator[Entry]:
    """Read the coordinates with versions in a build script of Gradle."""
    lines = Lines(text)
    for group, artifact, version in _COORDINATES.findall(text):
        line = lines.of(f"{group}:{artifact}:{version}")
        if version[:1].isdigit() and not version.endswith("+"):
            yield Package("maven", f"{group}:{artifact}", version, line=line)
        else:
            yield Unread(f"{group}:{artifact} has no exact version", line)


def catalog(text: str) -> Iterator[Entry]:
    """Read the libraries of `libs.versions.toml`."""
    document, lines = parse_toml(text), Lines("\n" + text)
    lines.of("\n[libraries]")
    for alias, library in document.get("libraries", {}).items():
        line = lines.of(f"\n{alias}", _EQUALS) - 1
        name, version = _catalogued(library, document.get("versions", {}))
        if version[:1].isdigit():
            yield Package("maven", name, version, line=line)
        else:
            yield Unread(f"{name} has no exact version", line)


def _catalogued(library: Any, known: dict[str, Any]) -> tuple[str, str]:
    if isinstance(library, str):
        group, artifact, version = library.split(":")
        return f"{group}:{artifact}", version
    name = library.get("module") or f"{library['group']}:{library['name']}"
    version = library.get("version", "")
    if isinstance(version, dict):
        version = known[version["ref"]] if "ref" in version else version.get("strictly", "")
    return name, version if isinstance(version, str) else ""


def maven(text: str) -> Iterator[Entry]:
    """Read the dependencies of `pom.xml` whose versions are literal or a property of the same file."""
    project = parse_xml(text)
    if project.tag != "project":
        raise Malformed("no project of Maven")
    properties = _properties(project)
    managed = {_name(item, properties): _text(item, "version", properties) for item in _managed(project)}
    lines = Lines(text)
    direct = project.findall("dependencies/dependency")
    for dependency in direct:
        name = _name(dependency, properties)
        version = _text(dependency, "version", properties) or managed.get(name, "")
        line = lines.of(f"<artifactId>{(dependency.findtext('artifactId') or '').strip()}", _SPACE)
        if version and "$" not in version and not version.startswith(("[", "(")):
            yield Package("maven", name, version, line=line)
        else:
            yield Unread(f"{name} gets its version elsewhere", line)
    if direct:
        yield Unread("it does not list transitive dependencies: scan the built image too", 1)


def _managed(project: Any) -> list[Any]:
    found: list[Any] = project.findall("dependencyManagement/dependencies/dependency")
    return found


def _properties(project: Any) -> dict[str, str]:
    own = {f"project.{name}": project.findtext(name) or project.findtext(f"parent/{name}") or "" for name in _OWN}
    listed = (item for item in project.findall("properties/*") if isinstance(item.tag, str))
    return own | {item.tag: (item.text or "").strip() for item in listed}


def _name(dependency: Any, properties: dict[str, str]) -> str:
    return f"{_text(dependency, 'groupId', properties)}:{_text(dependency, 'artifactId', properties)}"


def _text(dependency: Any, field: str, properties: dict[str, str]) -> str:
    """Return a field's text with the properties of the same file filled in."""
    written = (dependency.findtext(field) or "").strip()
    return _PROPERTY.sub(lambda found: properties.get(found[1]) or found[0], written)
