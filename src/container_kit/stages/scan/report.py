"""One report from the results of several scanners: deduplicated, sorted, capped, with totals."""

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
    """Merge the findings of all scanners, the worst first. A finding of several scanners names all of them."""
    found: dict[tuple[object, ...], ScanFinding] = {}
    for finding in (finding for result in results for finding in result.findings):
        key = _identity(finding)
        found[key] = _combine(found[key], finding) if key in found else finding
    return sorted(found.values(), key=_order)


def _identity(finding: ScanFinding) -> tuple[object, ...]:
    if finding.kind == "vulnerability":
        pinned_in = None if finding.layer else finding.path  # each lock file needs its own change
        return (_common_id(finding), finding.package, finding.installed, pinned_in)
    return (finding.kind, finding.id, finding.where)


def _common_id(finding: ScanFinding) -> str:
    """Return the CVE if there is one, because all databases use it."""
    names = (finding.id, *finding.aliases)
    return next((name for name in names if name.startswith("CVE-")), finding.id)


def _combine(first: ScanFinding, other: ScanFinding) -> ScanFinding:
    """Keep the first scanner's texts, add what it does not have, and use the higher severity."""
    worse = max(first.severity, other.severity, key=SEVERITIES.index)
    known = {
        name: getattr(other, name)
        for name in ("fixed", "path", "where", "layer", "title", "ecosystem")
        if not getattr(first, name) and getattr(other, name)
    }
    names = (*first.aliases, other.id, *other.aliases)
    known |= {
        "severity": worse,
        "aliases": tuple(dict.fromkeys(name for name in names if name != first.id)),
        "found_by": tuple(dict.fromkeys((*first.found_by, *other.found_by))),
    }
    return first.model_copy(update=known)


def _order(finding: ScanFinding) -> tuple[object, ...]:
    """Return the sort key: the worst first, fixable before others, then by name."""
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
    """Count the findings by severity, the worst first, without zeros."""
    counted = Counter(finding.severity for finding in findings)
    return {name: counted[name] for name in reversed(SEVERITIES) if counted[name]}


def outcome(results: Sequence[ScannerResult]) -> Outcome:
    """Return the combined outcome: clean only if a vulnerability scanner with a current database found nothing."""
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
    """Create the report, without the result of the gate."""
    return ScanReport(
        target=target,
        outcome=outcome(results),
        totals=totals(findings),
        findings=tuple(findings[:cap]),
        omitted=max(0, len(findings) - cap),
        changes=changes,
        scanners=tuple(result.run for result in results),
    )
