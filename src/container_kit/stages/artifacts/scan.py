"""Scans: the policy, the findings, the changes that remove them, and the report."""

from datetime import date
from typing import Literal

from pydantic import Field

from container_kit.stages.contract.artifact import Artifact

Severity = Literal["unknown", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("unknown", "low", "medium", "high", "critical")
"""From the lowest to the highest."""
Outcome = Literal["clean", "findings", "unavailable", "stale"]
"""`clean` means that a scanner with a current database ran and found nothing, never that no scanner is installed."""


class AllowedFinding(Artifact):
    """A finding that the policy accepts for a limited time."""

    id: str
    """The id of the finding, or one of its aliases."""
    reason: str = Field(min_length=1)
    expires: date
    """The last day, for example `2026-12-31`. The finding counts again afterwards."""
    package: str | None = None
    """The only package that the entry applies to; None means all packages."""


class ScanPolicy(Artifact):
    """The policy that the gate applies."""

    fail_on: Severity | None = "critical"
    """Fail on findings of this severity or higher; None allows all findings."""
    only_fixable: bool = True
    """Fail only on vulnerabilities that a newer version fixes."""
    require_scanner: bool = False
    """Fail if no scanner with a current database is available (outcome `unavailable` or `stale`)."""
    allow: tuple[AllowedFinding, ...] = ()


class SbomOptions(Artifact):
    """Options of the software bill of materials."""

    sbom: bool = False
    """Also list the packages in the image, or those that the folder's lock files pin."""


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
    """The lowest version above the installed one that fixes it; None if no version does yet."""
    path: str | None = None
    """The file in the image or folder that shows it."""
    where: str | None = None
    """`file:line` of the manifest or instruction that introduced it, if known."""
    layer: str | None = None
    """The layer's digest (its uncompressed content, `diff_id`)."""
    instruction: str | None = None
    """The instruction that created the layer."""
    change: str | None = None
    """The change that removes it, with the place; None if no change is known."""
    found_by: tuple[str, ...] = ()
    allowed: str | None = None
    """The reason and expiry date of the policy's entry that accepts it; None if no entry does."""


class Change(Artifact):
    """One change that removes findings. A report lists those first that remove most of the worst."""

    kind: Literal["base_image", "system_packages", "manifest", "dockerfile", "misconfiguration", "secret"]
    where: str | None = None
    """`file:line` to edit."""
    change: str
    removes: int
    """The number of findings that it removes."""
    worst: Severity
    ids: tuple[str, ...]
    """The ids of these findings, the worst first, at most twenty."""


class ScannerRun(Artifact):
    """The run of one scanner."""

    scanner: str
    version: str | None = None
    outcome: Outcome
    scope: Literal["vulnerabilities", "dockerfile"] = "vulnerabilities"
    packages: int | None = None
    """The number of packages that it checked, if it reports it."""
    database: str | None = None
    """The creation time of its database, in ISO 8601."""
    detail: str = ""
    """The reason why it was unavailable, stale or incomplete, and how to fix that."""


class ScanReport(Artifact):
    """The findings of all scanners."""

    target: str
    """The image reference or the folder."""
    outcome: Outcome
    totals: dict[Severity, int] = Field(default_factory=dict)
    findings: tuple[ScanFinding, ...] = ()
    """The worst first, capped; `totals` counts all."""
    omitted: int = 0
    """The number of findings that the cap removed."""
    changes: tuple[Change, ...] = ()
    """The changes for all findings, including those that the cap removed; the best first."""
    scanners: tuple[ScannerRun, ...] = ()
    gate: Literal["passed", "refused", "not_checked"] = "passed"
    """`not_checked` if no scanner with a current database ran."""
    gate_reason: str = ""


class Sbom(Artifact):
    """A software bill of materials of an image or a folder."""

    target: str
    """The image reference or the folder."""
    format: Literal["cyclonedx"] = "cyclonedx"
    spec_version: str
    """The version of the CycloneDX specification."""
    made_by: str
    """The generator: `syft`, `trivy` or `builtin`."""
    components: int
    unread: tuple[str, ...] = ()
    """Known gaps of the document, one line each."""
    document: str
    """The JSON document, often some hundred kilobytes: offer it as a resource, not as text."""
