"""The built-in matcher of packages and exports of OSV advisories, used if no scanner is installed."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import anyio.to_thread

from container_kit.stages.artifacts.scan import ScanFinding, ScannerRun
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.scan.builtin import osv
from container_kit.stages.scan.builtin.image_inventory import Inventory, UnreadableArchive
from container_kit.stages.scan.builtin.matching import match
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, completed, instant, unavailable

_NAME = "builtin"
_GET_IT = (
    "the built-in matcher needs exports of OSV (https://google.github.io/osv.dev/data/#data-dumps) in {folder}: "
    "`ECOSYSTEM/all.zip` for each ecosystem of packages, for example PyPI, npm and Debian:12"
)


async def scan(settings: ScannerSettings, ctx: StageContext, what: str, read: Callable[[], Inventory]) -> ScannerResult:
    """Match the packages of an image or a folder.

    Args:
        settings: The settings, with the folder of the exports.
        ctx: The run.
        what: A description of the source, for messages.
        read: Reads the packages in a worker thread; it may raise `UnreadableArchive`.
    """
    exports = settings.exports
    if exports is None:
        return unavailable(_NAME, _GET_IT.format(folder=settings.exports_folder))
    ctx.progress(f"reading the packages of {what}")
    try:
        inventory = await anyio.to_thread.run_sync(read)
    except UnreadableArchive as error:
        return unavailable(_NAME, str(error))
    ctx.progress(f"comparing {len(inventory.packages)} packages with the advisories in {exports}")
    return await anyio.to_thread.run_sync(_matched, settings, exports, inventory)


@dataclass(slots=True)
class _Sum:
    """The combined results of all ecosystems."""

    findings: list[ScanFinding] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    newest: dict[str, str] = field(default_factory=dict)
    """The time of the last change to the advisories, by ecosystem."""


def _matched(settings: ScannerSettings, folder: Path, inventory: Inventory) -> ScannerResult:
    result = _Sum(unseen=list(inventory.unread))
    if not inventory.packages:
        result.unseen.append("there is no package that the built-in matcher supports")
    groups: defaultdict[str | None, list[Package]] = defaultdict(list)
    for package in inventory.packages:
        groups[osv.ecosystem_of(package, inventory.system)].append(package)
    for ecosystem, packages in groups.items():
        _match_all(result, folder, ecosystem, packages)
    return _judged(settings, result, len(inventory.packages))


def _match_all(result: _Sum, folder: Path, ecosystem: str | None, packages: list[Package]) -> None:
    names = {osv.common_name(ecosystem or "", package.advised_as[0]) for package in packages}
    try:
        advisories = osv.load(folder, ecosystem, names) if ecosystem else None
    except (OSError, zipfile.BadZipFile) as error:
        result.unseen.append(f"{len(packages)} packages of {ecosystem} were not checked: its export is broken: {error}")
        return
    if ecosystem is None or advisories is None:
        kind = ecosystem or f"{packages[0].ecosystem} of this distribution"
        result.unseen.append(f"{len(packages)} packages of {kind} were not checked: no export of its advisories")
        return
    result.newest[ecosystem] = advisories.newest
    if advisories.unreadable:
        result.unseen.append(f"{advisories.unreadable} advisories of {ecosystem} cannot be read")
    for package in packages:
        known = advisories.by_package.get(osv.common_name(ecosystem, package.advised_as[0]), [])
        result.findings += _findings(result, known, package)


def _findings(result: _Sum, known: list[tuple[osv.Advisory, osv.Affected]], package: Package) -> Iterator[ScanFinding]:
    for advisory, affected in known:
        verdict = match(affected, package)
        if verdict.affected:
            yield osv.finding(advisory, package, verdict.fixed)
        elif verdict.affected is None:
            result.unseen.append(f"{package.name} {package.version} cannot be compared with {advisory.id}")


def _judged(settings: ScannerSettings, result: _Sum, packages: int) -> ScannerResult:
    oldest = min((instant(moment) for moment in result.newest.values()), default=None)
    stale = oldest is not None and settings.is_stale(oldest)
    if stale and oldest:
        result.unseen.append(f"the newest advisory is from {oldest:%Y-%m-%d}, too old to prove absence: export again")
    record = ScannerRun(
        scanner=_NAME,
        outcome="clean",
        packages=packages,
        database=oldest.isoformat() if oldest else None,
    )
    unseen = "; ".join(result.unseen[:10]) or None
    return completed(record, tuple(result.findings), unseen=unseen, stale=stale)
