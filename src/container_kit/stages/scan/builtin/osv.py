"""Advisories in the OSV format (schema 1.x) from exports in a folder, and findings from them."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.from_thread
from pydantic import BaseModel, ValidationError

from container_kit.stages.artifacts.scan import ScanFinding, Severity
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.dependencies.packages import Package, System
from container_kit.stages.scan.scanners.base import severity

_CHECKED_EVERY = 500
_ROLLING = {"wolfi": "Wolfi", "chainguard": "Chainguard"}
"""Distributions without releases, by their id in `/etc/os-release`."""
_RATED: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))


class _Name(BaseModel):
    ecosystem: str = ""
    name: str = ""


class RangeEvent(BaseModel):
    """The start or end of a range of affected versions."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class _Range(BaseModel):
    type: str = ""
    events: list[RangeEvent] = []


class Affected(BaseModel):
    """One package that a record affects, with its versions."""

    package: _Name = _Name()
    ranges: list[_Range] = []
    versions: list[str] = []


class _Score(BaseModel):
    type: str = ""
    score: str = ""


class Advisory(BaseModel):
    """One OSV record."""

    id: str
    aliases: list[str] = []
    upstream: list[str] = []
    summary: str = ""
    details: str = ""
    modified: str = ""
    withdrawn: str | None = None
    affected: list[Affected] = []
    severity: list[_Score] = []
    database_specific: dict[str, Any] | None = None


@dataclass(slots=True)
class Advisories:
    """The advisories of one ecosystem for the packages of an image or a folder."""

    by_package: defaultdict[str, list[tuple[Advisory, Affected]]] = field(default_factory=lambda: defaultdict(list))
    """The advisories by `common_name`."""
    newest: str = ""
    """The time of the last change to a record of the export, or of its packing."""
    unreadable: int = 0


def ecosystem_of(package: Package, system: System | None) -> str | None:
    """Return the OSV name of a package's ecosystem, such as `PyPI` or `Debian:12`; None if OSV has none."""
    if registry := catalog().package_registries.get(package.ecosystem):
        return registry.osv
    if system is None:
        return None
    if system.id == "debian":
        return f"Debian:{system.version.partition('.')[0]}"
    if system.id == "ubuntu":
        return f"Ubuntu:{system.version}"
    if system.id in _ROLLING:
        return _ROLLING[system.id]
    if system.id == "alpine":
        return f"Alpine:v{'.'.join(system.version.split('.')[:2])}"
    return None


def common_name(ecosystem: str, name: str) -> str:
    """Return the normalized form of a package's name, which is the same for all spellings that its registry accepts.

    Args:
        ecosystem: As in OSV.
        name: The name in any spelling.
    """
    registry = catalog().registries_by_osv_name.get(ecosystem)
    return registry.normalize(name) if registry else name


def load(folder: Path, ecosystem: str, names: set[str]) -> Advisories | None:
    """Read an ecosystem's export: `all.zip` or JSON files in a folder of its name, or of its name without release.

    Args:
        folder: The folder of exports.
        ecosystem: As in OSV, for example `Debian:12`.
        names: The names of the packages, by `common_name`.

    Returns:
        None if there is no export of this ecosystem.
    """
    export = _export(folder, ecosystem)
    if export is None:
        return None
    loaded = Advisories(newest=_packed(export))
    records = _zipped(export) if export.is_file() else (file.read_bytes() for file in sorted(export.glob("*.json")))
    for number, content in enumerate(records):
        if number % _CHECKED_EVERY == 0:
            anyio.from_thread.check_cancelled()
        _add(loaded, content, ecosystem, names)
    return loaded


def _export(folder: Path, ecosystem: str) -> Path | None:
    further = sorted(place.name for place in folder.glob(f"{ecosystem}:*"))  # `Ubuntu:22.04:LTS`
    for name in (ecosystem, *further, ecosystem.partition(":")[0]):
        place = folder / name
        if (place / "all.zip").is_file():
            return place / "all.zip"
        if place.is_dir():
            return place
    return None


def _packed(export: Path) -> str:
    """Return the time when the last record was packed, which shows the age of an export without recent changes."""
    if export.is_dir():
        return ""
    with zipfile.ZipFile(export) as archive:
        last = max((entry.date_time for entry in archive.infolist()), default=(1980, 1, 1, 0, 0, 0))
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(*last)


def _zipped(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(".json"):
                yield archive.read(entry)


def _add(loaded: Advisories, content: bytes, ecosystem: str, names: set[str]) -> None:
    """Add a record if it names one of the packages. Other records are not validated, because that is slow."""
    try:
        record = json.loads(content)
        loaded.newest = max(loaded.newest, str(record.get("modified", "")))
        parts = (part["package"]["name"] for part in record.get("affected") or () if "package" in part)
        if not any(common_name(ecosystem, name) in names for name in parts):
            return
        advisory = Advisory.model_validate(record)
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
        loaded.unreadable += 1
        return
    if advisory.withdrawn:
        return
    for affected in advisory.affected:
        name = common_name(ecosystem, affected.package.name)
        if name in names and _is_of(affected.package.ecosystem, ecosystem):
            loaded.by_package[name].append((advisory, affected))


def parts_of(advisory: Advisory, ecosystem: str, name: str) -> Iterator[Affected]:
    """Return the parts of an advisory that are about a package.

    Args:
        ecosystem: As in OSV, for example `Debian:12`.
        name: The package's name, by `common_name`.
    """
    for part in advisory.affected:
        if _is_of(part.package.ecosystem, ecosystem) and common_name(ecosystem, part.package.name) == name:
            yield part


def _is_of(named: str, ecosystem: str) -> bool:
    """Return whether a name belongs to an ecosystem. Ubuntu's names have further parts (`Ubuntu:22.04:LTS`)."""
    return named == ecosystem or named.startswith(f"{ecosystem}:")


def finding(advisory: Advisory, package: Package, fixed: str | None) -> ScanFinding:
    """Create the finding of a package that an advisory affects."""
    return ScanFinding(
        id=advisory.id,
        aliases=tuple(dict.fromkeys([*advisory.aliases, *advisory.upstream])),
        kind="vulnerability",
        severity=rated(advisory),
        title=advisory.summary or advisory.details.partition("\n")[0][:200],
        package=package.name,
        ecosystem=package.ecosystem,
        installed=package.version,
        fixed=fixed,
        path=package.path or None,
        where=package.where,
        layer=package.layer,
        found_by=("builtin",),
    )


def rated(advisory: Advisory) -> Severity:
    """Return the severity of the database, else of the highest CVSS base score (CVSS 3.1, section 5)."""
    word = (advisory.database_specific or {}).get("severity")
    if isinstance(word, str) and severity(word) != "unknown":
        return severity(word)
    worst = max((_score(score) for score in advisory.severity), default=0.0)
    return next((name for least, name in _RATED if worst >= least), "unknown")


def _score(score: _Score) -> float:
    from cvss import CVSS2, CVSS3, CVSS4, CVSSError

    kinds: Mapping[str, Any] = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
    try:
        made = kinds[score.type](score.score)
    except (CVSSError, KeyError):
        return 0.0
    return float(made.base_score)
