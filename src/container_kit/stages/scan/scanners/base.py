"""What all scanners have in common: the settings, where a program is, and the shape of what a scanner says."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import anyio

from container_kit.stages.artifacts.scan import Outcome, ScanFinding, ScannerRun, Severity
from container_kit.stages.contract.paths import state_folder


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """Where scanners and their databases are, and how far to trust them."""

    search_path: str | None = None
    """Where programs are looked for, as in PATH; None means PATH."""
    trivy_cache: Path | None = None
    """The folder of Trivy's databases; None leaves it to Trivy."""
    osv: Path | None = None
    """A folder of OSV exports (`ECOSYSTEM/all.zip`, or JSON files below it) for the built-in matcher; None means the
    folder `osv` among this program's state."""
    update_databases: bool = True
    """Let a scanner download its database when that is missing or due."""
    database_max_age: timedelta = timedelta(days=7)
    """A database older than this is stale: what it finds counts, what it does not find proves nothing."""
    timeout: float = 300.0
    """Seconds that one scanner may take for one target."""
    cap: int = 100
    """How many findings a report carries; its totals count all."""

    def program(self, name: str) -> str | None:
        """The path of a scanner, None where it is not installed."""
        return shutil.which(name, path=self.search_path)

    @property
    def exports_folder(self) -> Path:
        """Where exports of OSV are looked for."""
        return self.osv or state_folder() / "osv"

    @property
    def exports(self) -> Path | None:
        """The folder of OSV exports, None where there is none."""
        return self.exports_folder if self.exports_folder.is_dir() else None

    def is_stale(self, made: datetime) -> bool:
        """Tell whether a database made then is too old to prove absence."""
        return datetime.now(UTC) - made > self.database_max_age


@dataclass(frozen=True, slots=True)
class ScannerResult:
    """What one scanner did, and all that it found."""

    run: ScannerRun
    findings: tuple[ScanFinding, ...] = ()

    @property
    def completed(self) -> bool:
        """Whether it looked at anything at all."""
        return self.run.outcome != "unavailable" or bool(self.findings)


def unavailable(
    scanner: str,
    detail: str,
    version: str | None = None,
    scope: Literal["vulnerabilities", "dockerfile"] = "vulnerabilities",
) -> ScannerResult:
    """A scanner that could not look, and why."""
    return ScannerResult(
        ScannerRun(scanner=scanner, version=version, outcome="unavailable", detail=detail, scope=scope)
    )


def completed(run: ScannerRun, findings: tuple[ScanFinding, ...], *, unseen: str | None, stale: bool) -> ScannerResult:
    """A scanner that looked, with the outcome that this allows it.

    Args:
        run: What is known of the run; its outcome is decided here.
        findings: All that it found.
        unseen: What it could not look at; then finding nothing does not mean clean.
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
    """Translate a scanner's word for a severity; what is not known is `unknown`."""
    return _SEVERITIES.get((word or "").lower(), "unknown")


async def gather_results(looks: Sequence[Callable[[], Awaitable[ScannerResult]]]) -> list[ScannerResult]:
    """Let scanners work side by side; their results in the order given."""
    results: dict[int, ScannerResult] = {}

    async def look(number: int) -> None:
        results[number] = await looks[number]()

    async with anyio.create_task_group() as tasks:
        for number in range(len(looks)):
            tasks.start_soon(look, number)
    return [results[number] for number in sorted(results)]


def instant(text: str) -> datetime:
    """Read an RFC 3339 instant; what cannot be read is long ago."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
