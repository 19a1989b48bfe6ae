"""The common parts of all scanners: settings, results and outcomes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import anyio

from container_kit.stages.artifacts.scan import Outcome, ScanFinding, ScannerRun, Severity
from container_kit.stages.contract.paths import state_folder

OSV_API = "https://api.osv.dev"


def parse_osv_api(value: str) -> str | None:
    """Return the address of the API of OSV; None if the setting turns its queries off."""
    return None if value.strip().lower() in {"", "off", "false", "no", "0"} else value.strip()


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """The settings of the scanners and their databases."""

    search_path: str | None = None
    """The search path of programs, as in PATH; None means PATH."""
    trivy_cache: Path | None = None
    """The folder of Trivy's databases; None means Trivy's default."""
    osv: Path | None = None
    """A folder of OSV exports (`ECOSYSTEM/all.zip`, or JSON files below it) for the built-in matcher; None means the
    folder `osv` in the state folder."""
    osv_api: str | None = field(default_factory=lambda: parse_osv_api(os.environ.get("CONTAINER_KIT_OSV_API", OSV_API)))
    """The address of the API of OSV for the built-in matcher without exports; None means that it is never queried."""
    update_databases: bool = True
    """Let a scanner download its database if that is missing or outdated."""
    database_max_age: timedelta = timedelta(days=7)
    """A database older than this is stale: its findings count, but finding nothing proves nothing."""
    timeout: float = 300.0
    """Seconds for one scanner and one target."""
    cap: int = 100
    """The maximum number of findings in a report; its totals count all."""

    def program(self, name: str) -> str | None:
        """Return the path of a scanner; None if it is not installed."""
        return shutil.which(name, path=self.search_path)

    @property
    def exports_folder(self) -> Path:
        """The folder where exports of OSV are expected."""
        return self.osv or state_folder() / "osv"

    @property
    def osv_cache_folder(self) -> Path:
        """The folder for advisories from the API of OSV."""
        return state_folder() / "osv-cache"

    @property
    def exports(self) -> Path | None:
        """The folder of OSV exports; None if it does not exist."""
        return self.exports_folder if self.exports_folder.is_dir() else None

    def is_stale(self, made: datetime) -> bool:
        """Return whether a database created at a time is too old to prove absence."""
        return datetime.now(UTC) - made > self.database_max_age


@dataclass(frozen=True, slots=True)
class ScannerResult:
    """The run of one scanner, with all its findings."""

    run: ScannerRun
    findings: tuple[ScanFinding, ...] = ()

    @property
    def completed(self) -> bool:
        """Whether it scanned anything."""
        return self.run.outcome != "unavailable" or bool(self.findings)


def unavailable(
    scanner: str,
    detail: str,
    version: str | None = None,
    scope: Literal["vulnerabilities", "dockerfile"] = "vulnerabilities",
) -> ScannerResult:
    """Create the result of a scanner that could not run."""
    return ScannerResult(
        ScannerRun(scanner=scanner, version=version, outcome="unavailable", detail=detail, scope=scope)
    )


def completed(run: ScannerRun, findings: tuple[ScanFinding, ...], *, unseen: str | None, stale: bool) -> ScannerResult:
    """Create the result of a scanner that ran, with its outcome.

    Args:
        run: The run; its outcome is replaced.
        findings: All findings.
        unseen: The parts that it could not scan. Finding nothing is then not clean.
        stale: Whether its database is too old to prove absence.
    """
    outcome: Outcome = "clean"
    if findings:
        outcome = "findings"
    elif unseen:
        outcome = "unavailable"
    if stale:
        outcome = "stale"
    notes = "; ".join(filter(None, (run.detail, unseen)))
    return ScannerResult(run.model_copy(update={"outcome": outcome, "detail": notes}), findings)


_SEVERITIES: dict[str, Severity] = {
    "critical": "critical",
    "high": "high",
    "important": "high",
    "medium": "medium",
    "moderate": "medium",
    "low": "low",
    "minor": "low",
    "negligible": "low",
}


def severity(word: str | None) -> Severity:
    """Translate a scanner's name of a severity; other texts become `unknown`."""
    return _SEVERITIES.get((word or "").lower(), "unknown")


async def gather_results(looks: Sequence[Callable[[], Awaitable[ScannerResult]]]) -> list[ScannerResult]:
    """Run scanners concurrently, and return their results in the given order."""
    results: dict[int, ScannerResult] = {}

    async def look(number: int) -> None:
        results[number] = await looks[number]()

    async with anyio.create_task_group() as tasks:
        for number in range(len(looks)):
            tasks.start_soon(look, number)
    return [results[number] for number in sorted(results)]


def instant(text: str) -> datetime:
    """Parse an RFC 3339 time; a text that is not valid becomes the earliest time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
