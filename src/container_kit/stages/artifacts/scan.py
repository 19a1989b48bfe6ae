"""Scanning: the policy, the findings, and what the gate said of them."""

from typing import Literal

from pydantic import Field

from container_kit.stages.artifacts.base import Artifact

Severity = Literal["unknown", "low", "medium", "high", "critical"]
Outcome = Literal["clean", "findings", "unavailable", "stale"]
"""`clean` only where a scanner with a current database looked and found nothing; never by absence of a scanner."""


class AllowedFinding(Artifact):
    """A finding that the gate lets pass, for a reason and a time."""

    id: str
    reason: str
    expires: str
    """ISO date, for example `2026-12-31`; afterwards the finding counts again."""


class ScanPolicy(Artifact):
    """What the gate refuses."""

    fail_on: Severity | None = "critical"
    """Refuse findings of this severity or worse; None lets everything pass."""
    only_fixable: bool = True
    """Refuse only what a fixed version exists for."""
    require_scanner: bool = False
    """Refuse when no scanner could look (outcome unavailable or stale)."""
    allow: tuple[AllowedFinding, ...] = ()


class ScanFinding(Artifact):
    """One vulnerability, misconfiguration or lint problem, deduplicated."""

    id: str
    """`CVE-…`, `GHSA-…`, `DL3008`, …"""
    kind: Literal["vulnerability", "dockerfile", "secret"]
    severity: Severity
    title: str = ""
    package: str | None = None
    installed: str | None = None
    fixed: str | None = None
    """The lowest version that fixes it; None where there is none yet."""
    where: str | None = None
    """`file:line` of the manifest or instruction that brought it, as far as known."""
    layer: str | None = None
    """The layer's digest."""
    instruction: str | None = None
    """The instruction that made that layer."""
    change: str | None = None
    """What to change, and where, to be rid of it."""
    found_by: tuple[str, ...] = ()


class ScannerRun(Artifact):
    """What one scanner did."""

    scanner: str
    version: str | None = None
    outcome: Outcome
    detail: str = ""
    """Why it was unavailable or stale, and how to get it; the database's date otherwise."""


class ScanReport(Artifact):
    """What all scanners together found."""

    target: str
    """The image reference or the folder."""
    outcome: Outcome
    totals: dict[Severity, int] = Field(default_factory=dict)
    findings: tuple[ScanFinding, ...] = ()
    """The worst first, capped; `totals` counts all."""
    omitted: int = 0
    """How many findings the cap left out."""
    scanners: tuple[ScannerRun, ...] = ()
    gate: Literal["passed", "refused", "not_checked"] = "passed"
    """`not_checked` where no scanner could look."""
    gate_reason: str = ""
