"""Scanning: the policy, the findings, what to change, and what the gate said of them."""

from datetime import date
from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact

Severity = Literal["unknown", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("unknown", "low", "medium", "high", "critical")
"""From the least to the worst."""
Outcome = Literal["clean", "findings", "unavailable", "stale"]
"""`clean` only where a scanner with a current database looked and found nothing; never by absence of a scanner."""


class AllowedFinding(Artifact):
    """A finding that the gate lets pass, for a reason and a time."""

    id: str
    """Its id, or one of its aliases."""
    reason: str = Field(min_length=1)
    expires: date
    """The last day, for example `2026-12-31`; afterwards the finding counts again."""
    package: str | None = None
    """Only in this package; None means in any."""


class ScanPolicy(Artifact):
    """What the gate refuses."""

    fail_on: Severity | None = "critical"
    """Refuse findings of this severity or worse; None lets everything pass."""
    only_fixable: bool = True
    """Refuse only those vulnerabilities that a fixed version exists for."""
    require_scanner: bool = False
    """Refuse when no scanner could look (outcome unavailable or stale)."""
    allow: tuple[AllowedFinding, ...] = ()


class SbomOptions(Artifact):
    """Whether a bill of materials is made."""

    sbom: bool = False
    """Also list the packages that are in the image, or that the folder's lock files pin."""


class ScanFinding(Artifact):
    """One vulnerability, misconfiguration, lint problem or secret, deduplicated."""

    id: str
    """`CVE-…`, `GHSA-…`, `DL3008`, …"""
    aliases: tuple[str, ...] = ()
    """Other ids of the same vulnerability."""
    kind: Literal["vulnerability", "dockerfile", "misconfiguration", "secret"]
    severity: Severity
    title: str = ""
    package: str | None = None
    ecosystem: str | None = None
    """The package's type in a package URL: `deb`, `apk`, `rpm`, `pypi`, `npm`, `maven`, `golang`, …"""
    installed: str | None = None
    fixed: str | None = None
    """The lowest version above the installed one that fixes it; None where there is none yet."""
    path: str | None = None
    """The file in the image, or below the folder, that shows it."""
    where: str | None = None
    """`file:line` of the manifest or instruction that brought it, as far as known."""
    layer: str | None = None
    """The layer's digest (its uncompressed content, `diff_id`)."""
    instruction: str | None = None
    """The instruction that made that layer."""
    change: str | None = None
    """What to change, and where, to be rid of it; None where nothing is known that helps."""
    found_by: tuple[str, ...] = ()
    allowed: str | None = None
    """Why the policy lets it pass, and until when; None where no entry does."""


class Change(Artifact):
    """One change that makes findings go away; a report lists those that remove most of the worst first."""

    kind: Literal["base_image", "system_packages", "manifest", "dockerfile", "misconfiguration", "secret"]
    where: str | None = None
    """`file:line` of what to edit."""
    change: str
    removes: int
    """How many findings go away with it."""
    worst: Severity
    ids: tuple[str, ...]
    """Their ids, the worst first, at most twenty."""


class ScannerRun(Artifact):
    """What one scanner did."""

    scanner: str
    version: str | None = None
    outcome: Outcome
    scope: Literal["vulnerabilities", "dockerfile"] = "vulnerabilities"
    packages: int | None = None
    """How many packages it looked at, where it tells."""
    database: str | None = None
    """When its database was made, as an ISO date and time."""
    detail: str = ""
    """Why it was unavailable or stale or saw only a part, and how to get it."""


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
    changes: tuple[Change, ...] = ()
    """What to change, what removes most of the worst first; of all findings, those that the cap left out too."""
    scanners: tuple[ScannerRun, ...] = ()
    gate: Literal["passed", "refused", "not_checked"] = "passed"
    """`not_checked` where no scanner with a current database could look."""
    gate_reason: str = ""


class Sbom(Artifact):
    """A software bill of materials of an image or a folder."""

    target: str
    """The image reference or the folder."""
    format: Literal["cyclonedx"] = "cyclonedx"
    spec_version: str
    """The version of the CycloneDX specification that the document follows."""
    made_by: str
    """`syft`, `trivy` or `builtin`, with its version."""
    components: int
    unread: tuple[str, ...] = ()
    """What is there but not in the document, one line each, as far as known."""
    document: str
    """The JSON document itself, often some hundred kilobytes: offer it as a resource, not in a text."""
