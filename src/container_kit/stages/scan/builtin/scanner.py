"""The built-in matcher of packages and OSV advisories, used if neither Trivy nor Grype could scan.

The advisories come from a folder of exports if the operator provides one, else from the API of OSV.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import anyio
import anyio.to_thread

from container_kit.stages.artifacts.scan import ScanFinding, ScannerRun
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.scan.builtin import osv
from container_kit.stages.scan.builtin.image_inventory import Inventory, UnreadableArchive
from container_kit.stages.scan.builtin.matching import match
from container_kit.stages.scan.builtin.osv_api import Hits, OsvApi, OsvApiError, Query
from container_kit.stages.scan.scanners.base import ScannerResult, ScannerSettings, completed, instant, unavailable

_EXPORTS = "builtin"
_API = "osv"
_PROBE_SECONDS = 8.0
"""Seconds for the probe of the API with the lookup of its name, which has no time limit."""
_TURNED_OFF = (
    "queries of OSV are turned off; set CONTAINER_KIT_OSV_API to https://api.osv.dev, or put exports of OSV "
    "(https://google.github.io/osv.dev/data/#data-dumps) into {folder}"
)
_UNREACHABLE = (
    "OSV at {url} cannot be queried: {reason}. Without a network, put exports of OSV "
    "(https://google.github.io/osv.dev/data/#data-dumps) into {folder}: `ECOSYSTEM/all.zip` for each ecosystem of "
    "packages, for example PyPI, npm and Debian:12"
)

_NORMALIZED = frozenset({"PyPI"})
"""The ecosystems whose advisories use normalized names."""

AdvisorySource = Path | OsvApi
"""The source of the advisories: a folder of exports or an API."""


class NoAdvisories(Exception):
    """No advisories are available; the text names the reason and the remedy."""


async def find_advisories(settings: ScannerSettings) -> AdvisorySource:
    """Return the source of the advisories.

    Raises:
        NoAdvisories: There are no exports, and the API is turned off or cannot be reached.
    """
    if settings.exports is not None:
        return settings.exports
    if settings.osv_api is None:
        raise NoAdvisories(_TURNED_OFF.format(folder=settings.exports_folder))
    api = OsvApi(settings.osv_api, settings.osv_cache_folder, settings.timeout)
    problem: str | None = "it does not respond in time"
    with anyio.move_on_after(_PROBE_SECONDS):
        problem = await anyio.to_thread.run_sync(api.find_problem, abandon_on_cancel=True)
    if problem:
        raise NoAdvisories(_UNREACHABLE.format(url=api.url, reason=problem, folder=settings.exports_folder))
    return api


async def scan(
    settings: ScannerSettings,
    ctx: StageContext,
    what: str,
    read: Callable[[], Inventory],
    source: AdvisorySource | None = None,
) -> ScannerResult:
    """Match the packages of an image or a folder.

    Args:
        settings: The settings, with the sources of advisories.
        ctx: The run.
        what: A description of the packages' place, for messages.
        read: Reads the packages in a worker thread; it may raise `UnreadableArchive`.
        source: The source of the advisories; None means the one of the settings.
    """
    name = _API
    try:
        source = source or await find_advisories(settings)
        name = _API if isinstance(source, OsvApi) else _EXPORTS
        ctx.progress(f"reading the packages of {what}")
        inventory = await anyio.to_thread.run_sync(read)
        if isinstance(source, Path):
            ctx.progress(f"comparing {len(inventory.packages)} packages with the advisories in {source}")
            return await anyio.to_thread.run_sync(_match_exports, settings, source, inventory)
        ctx.progress(f"querying {source.url} for {len(inventory.packages)} packages (names and versions only)")
        return await anyio.to_thread.run_sync(_match_api, settings, source, inventory, abandon_on_cancel=True)
    except (NoAdvisories, UnreadableArchive) as error:
        return unavailable(name, str(error))


@dataclass(slots=True)
class _Sum:
    """The combined results of all ecosystems."""

    checked: int = 0
    """The number of packages that were compared."""
    findings: list[ScanFinding] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    newest: dict[str, str] = field(default_factory=dict)
    """The time of the last change to the advisories, by ecosystem."""


def _groups(result: _Sum, inventory: Inventory) -> defaultdict[str | None, list[Package]]:
    """Return the packages by the OSV name of their ecosystem."""
    if not inventory.packages:
        result.unseen.append("there is no package that the built-in matcher supports")
    groups: defaultdict[str | None, list[Package]] = defaultdict(list)
    for package in inventory.packages:
        groups[osv.ecosystem_of(package, inventory.system)].append(package)
    return groups


def _match_api(settings: ScannerSettings, api: OsvApi, inventory: Inventory) -> ScannerResult:
    result = _Sum(unseen=list(inventory.unread))
    queries: dict[Query, list[Package]] = defaultdict(list)
    for ecosystem, packages in _groups(result, inventory).items():
        if ecosystem is None:
            kind = packages[0].ecosystem
            result.unseen.append(f"{len(packages)} packages of {kind} were not checked: OSV has no advisories for them")
            continue
        result.checked += len(packages)
        for package in packages:
            name, version = package.advised_as
            sent = osv.common_name(ecosystem, name) if ecosystem in _NORMALIZED else name
            queries[Query(ecosystem, sent, version)].append(package)
    try:
        hits = api.search(queries)
    except OsvApiError as error:
        reason = _UNREACHABLE.format(url=api.url, reason=error, folder=settings.exports_folder)
        return unavailable(_API, reason)
    if hits.unreadable:
        id, reason = next(iter(hits.unreadable.items()))  # noqa: A001 - the name in OSV
        result.unseen.append(f"{len(hits.unreadable)} advisories could not be read, such as {id[:100]}: {reason}")
    for query, packages in queries.items():
        for package in packages:
            result.findings += _affecting(hits, query, package)
    if result.checked:
        result.newest["OSV"] = datetime.now(UTC).isoformat(timespec="seconds")
    return _judged(settings, result, _API)


def _affecting(hits: Hits, query: Query, package: Package) -> Iterator[ScanFinding]:
    """Return the findings of a package. OSV decides that it is affected; the advisory names the fixed version."""
    for id in dict.fromkeys(hits.ids.get(query, ())):  # noqa: A001 - the name in OSV
        if id in hits.withdrawn:
            continue
        advisory = hits.advisories.get(id) or osv.Advisory(id=id[:100], summary="The advisory could not be read.")
        name = osv.common_name(query.ecosystem, query.name)
        verdicts = [match(affected, package) for affected in osv.parts_of(advisory, query.ecosystem, name)]
        fixed = next((verdict.fixed for verdict in verdicts if verdict.affected and verdict.fixed), None)
        yield osv.finding(advisory, package, fixed).model_copy(update={"found_by": (_API,)})


def _match_exports(settings: ScannerSettings, folder: Path, inventory: Inventory) -> ScannerResult:
    result = _Sum(unseen=list(inventory.unread))
    for ecosystem, packages in _groups(result, inventory).items():
        _match_all(result, folder, ecosystem, packages)
    return _judged(settings, result, _EXPORTS)


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
    result.checked += len(packages)
    result.newest[ecosystem] = advisories.newest
    if advisories.unreadable:
        result.unseen.append(f"{advisories.unreadable} advisories of {ecosystem} cannot be read")
    for package in packages:
        known = advisories.by_package.get(osv.common_name(ecosystem, package.advised_as[0]), [])
        result.findings += _findings(result, known, package)


def _findings(
    result: _Sum, known: Sequence[tuple[osv.Advisory, osv.Affected]], package: Package
) -> Iterator[ScanFinding]:
    for advisory, affected in known:
        verdict = match(affected, package)
        if verdict.affected:
            yield osv.finding(advisory, package, verdict.fixed)
        elif verdict.affected is None:
            result.unseen.append(f"{package.name} {package.version} cannot be compared with {advisory.id}")


def _judged(settings: ScannerSettings, result: _Sum, name: str) -> ScannerResult:
    oldest = min((instant(moment) for moment in result.newest.values()), default=None)
    stale = oldest is not None and settings.is_stale(oldest)
    if stale and oldest:
        result.unseen.append(f"the newest advisory is from {oldest:%Y-%m-%d}, too old to prove absence: export again")
    record = ScannerRun(
        scanner=name,
        outcome="clean",
        packages=result.checked,
        database=oldest.isoformat() if oldest else None,
    )
    unseen = "; ".join(result.unseen[:10]) or None
    return completed(record, tuple(result.findings), unseen=unseen, stale=stale)
