"""Making one report of what several scanners found: deduplicated, sorted, capped, with totals of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from container_kit.stages.artifacts.scan import (
    SEVERITIES,
    Change,
    Outcome,
    ScanFinding,
    ScanReport,
    Severity,
)
from container_kit.stages.scan.scanners.base import ScannerResult


def merge_findings(results: Iterable[ScannerResult]) -> list[ScanFinding]:
    """Every finding once, the worst first; what several scanners found bears all their names."""
    found: dict[tuple[object, ...], ScanFinding] = {}
    for finding in (finding for result in results for finding in result.findings):
        key = _identity(finding)
        found[key] = _united(found[key], finding) if key in found else finding
    return sorted(found.values(), key=_order)


def _identity(finding: ScanFinding) -> tuple[object, ...]:
    if finding.kind == "vulnerability":
        pinned_in = None if finding.layer else finding.path  # each lock file of a folder has to be changed for itself
        return (_common_id(finding), finding.package, finding.installed, pinned_in)
    return (finding.kind, finding.id, finding.where)


def _common_id(finding: ScanFinding) -> str:
    """The CVE where there is one, for that is the name that all databases know."""
    names = (finding.id, *finding.aliases)
    return next((name for name in names if name.startswith("CVE-")), finding.id)


def _united(one: ScanFinding, other: ScanFinding) -> ScanFinding:
    """Keep the first scanner's words, fill in what it does not know, and believe the worse severity."""
    worse = max(one.severity, other.severity, key=SEVERITIES.index)
    known = {
        name: getattr(other, name)
        for name in ("fixed", "path", "where", "layer", "title", "ecosystem")
        if not getattr(one, name) and getattr(other, name)
    }
    names = (*one.aliases, other.id, *other.aliases)
    known |= {
        "severity": worse,
        "aliases": tuple(dict.fromkeys(name for name in names if name != one.id)),
        "found_by": tuple(dict.fromkeys((*one.found_by, *other.found_by))),
    }
    return one.model_copy(update=known)


def _order(finding: ScanFinding) -> tuple[object, ...]:
    """The worst first, what can be fixed before what cannot, then by name."""
    rank = -SEVERITIES.index(finding.severity)
    return (
        rank,
        finding.kind != "secret",
        finding.fixed is None,
        finding.package or "",
        finding.id,
        finding.where or "",
    )


def totals(findings: Iterable[ScanFinding]) -> dict[Severity, int]:
    """How many there are of each severity, the worst first; those of which there is none are left out."""
    counted = Counter(finding.severity for finding in findings)
    return {name: counted[name] for name in reversed(SEVERITIES) if counted[name]}


def outcome(results: Sequence[ScannerResult]) -> Outcome:
    """What all came to: clean only where a scanner for vulnerabilities with a current database found nothing."""
    runs = [result.run for result in results if result.run.scope == "vulnerabilities"]
    if any(result.findings for result in results):
        return "findings"
    if any(run.outcome == "clean" for run in runs):
        return "clean"
    return "stale" if any(run.outcome == "stale" for run in runs) else "unavailable"


def compose(
    target: str,
    results: Sequence[ScannerResult],
    findings: Sequence[ScanFinding],
    changes: tuple[Change, ...],
    cap: int,
) -> ScanReport:
    """Make the report, its gate still open."""
    return ScanReport(
        target=target,
        outcome=outcome(results),
        totals=totals(findings),
        findings=tuple(findings[:cap]),
        omitted=max(0, len(findings) - cap),
        changes=changes,
        scanners=tuple(result.run for result in results),
    )
