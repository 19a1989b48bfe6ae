"""The text about a scan: its findings, the changes that remove them, and what was not scanned."""

from __future__ import annotations

from container_kit.stages.artifacts.scan import ScanFinding, ScannerRun, ScanReport

_ABSENT_OUTCOMES = ("unavailable", "stale")
_MAX_DETAIL = 300
_PROGRAMS = ("trivy", "grype")


def report_lines(report: ScanReport, findings: int = 10, changes: int = 5) -> list[str]:
    """Return the outcome of a scan, the worst findings, the best changes and the parts that were not scanned.

    Args:
        findings: The maximum number of findings.
        changes: The maximum number of changes.
    """
    return [
        outcome_line(report),
        *(f"- {item.severity} {item.id} {_subject(item)}: {item.title}" for item in report.findings[:findings]),
        *(
            f"change: {change.change} ({change.where or change.kind}) removes {change.removes}"
            for change in report.changes[:changes]
        ),
        *_absent_linter_lines(report),
    ]


def outcome_line(report: ScanReport) -> str:
    """Return one line: what was found, or that nothing was scanned and why. A gap is never reported as no findings."""
    if report.totals:
        totals = ", ".join(f"{count} {severity}" for severity, count in report.totals.items() if count)
        return f"scan: {totals}; gate {report.gate}{_gate_reason(report)}{_gap(report)}"
    if report.outcome == "clean":
        return f"scan: no known vulnerabilities in {_scope(report)}; gate {report.gate}{_gate_reason(report)}"
    gap = _gap(report).removeprefix("; ")
    if any(run.packages for run in report.scanners):
        return f"scan: incomplete, no findings in {_scope(report)}; {gap or 'the database is too old'}"
    return f"scan: nothing was scanned: {gap or 'no scanner is available'}"


def _gate_reason(report: ScanReport) -> str:
    return f" ({report.gate_reason})" if report.gate == "passed" and report.gate_reason else ""


def _scope(report: ScanReport) -> str:
    packages = max((run.packages or 0 for run in report.scanners), default=0)
    names = ", ".join(run.scanner for run in report.scanners if _is_vulnerability_scan(run) and not _is_absent(run))
    return f"{packages} packages" + (f" ({names})" if names else "") if packages else f"{report.target} ({names})"


def _gap(report: ScanReport) -> str:
    """Return the part that was not scanned with its reason; empty if everything was scanned."""
    runs = [run for run in report.scanners if _is_vulnerability_scan(run)]
    incomplete = [run for run in runs if run.detail and not (_is_absent(run) and run.scanner in _PROGRAMS)]
    absent = [run for run in runs if _is_absent(run) and run.scanner in _PROGRAMS and run.detail]
    if any(not _is_absent(run) for run in runs) and not incomplete:
        return ""
    reasons = [run.detail for run in incomplete or absent]
    if incomplete and len(absent) == len(_PROGRAMS) and all("not installed" in run.detail for run in absent):
        reasons.append("neither Trivy nor Grype is installed")
    return "; " + "; ".join(reason[:_MAX_DETAIL] for reason in reasons) if reasons else ""


def _absent_linter_lines(report: ScanReport) -> list[str]:
    absent = [run for run in report.scanners if not _is_vulnerability_scan(run) and _is_absent(run)]
    return [f"not linted: {run.detail}" for run in absent]


def _is_vulnerability_scan(run: ScannerRun) -> bool:
    return run.scope == "vulnerabilities"


def _is_absent(run: ScannerRun) -> bool:
    return run.outcome in _ABSENT_OUTCOMES


def _subject(finding: ScanFinding) -> str:
    """Return the package with the version that fixes it, and the location."""
    package = f"{finding.package} {finding.installed or ''}".rstrip() if finding.package else ""
    fixed = f" → {finding.fixed}" if finding.fixed else ""
    location = f" ({finding.where})" if finding.package and finding.where else finding.where or finding.path or ""
    return f"{package}{fixed}{location}"
