"""The gate: it applies a policy to the findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from container_kit.stages.artifacts.scan import SEVERITIES, AllowedFinding, Change, ScanFinding, ScanPolicy, ScanReport
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure

POLICY_VIOLATION = FaultCode(
    "scan.policy_violation",
    means="The scan found findings that the policy does not allow.",
    hint="Make the changes in next_actions (the first one removes {removes} of the {refused} findings), rebuild the "
    "image if it is one, and scan again. To accept a finding, add it to the policy's allow list with a reason and an "
    "expiry date.",
)
SCANNER_UNAVAILABLE = FaultCode(
    "scan.scanner_unavailable",
    means="The policy requires a scan, and no scanner with a current database is available.",
    hint="{remedy}; or set require_scanner to false, and the gate reports `not_checked` instead.",
)
FAULTS = (POLICY_VIOLATION, SCANNER_UNAVAILABLE)

_MAX_EVIDENCE = 10
_MAX_ACTIONS = 5


def mark_allowed(findings: Sequence[ScanFinding], policy: ScanPolicy, today: date) -> tuple[ScanFinding, ...]:
    """Mark the findings that the policy's allow list accepts today."""
    return tuple(finding.model_copy(update={"allowed": _reason(finding, policy, today)}) for finding in findings)


def _reason(finding: ScanFinding, policy: ScanPolicy, today: date) -> str | None:
    for entry in policy.allow:
        if _matches(entry, finding) and today <= entry.expires:
            return f"{entry.reason} (until {entry.expires.isoformat()})"
    return None


def _matches(entry: AllowedFinding, finding: ScanFinding) -> bool:
    return entry.id in {finding.id, *finding.aliases} and entry.package in {None, finding.package}


@dataclass(frozen=True, slots=True)
class Violations:
    """The findings that a policy does not allow, and the changes that remove them, the best first."""

    findings: tuple[ScanFinding, ...] = ()
    repairs: tuple[Change, ...] = ()


def violates(policy: ScanPolicy, finding: ScanFinding) -> bool:
    """Return whether a finding that `mark_allowed` has marked violates the policy."""
    if policy.fail_on is None or finding.allowed is not None:
        return False
    if SEVERITIES.index(finding.severity) < SEVERITIES.index(policy.fail_on):
        return False
    return not (policy.only_fixable and finding.kind == "vulnerability" and finding.fixed is None)


def apply_policy(
    report: ScanReport, findings: Sequence[ScanFinding], violations: Violations, policy: ScanPolicy, today: date
) -> ScanReport:
    """Apply a policy to a report.

    Args:
        report: The report without the gate's result.
        findings: All findings as `mark_allowed` returned them, including those that the report omits.
        violations: The findings that violate the policy.
        policy: The policy.
        today: The date that decides whether entries of the allow list have expired.

    Returns:
        The report with the gate's result: `passed`, or `not_checked` if no scanner with a current database ran.

    Raises:
        StageFailure: `scan.policy_violation` or `scan.scanner_unavailable`.
    """
    if violations.findings:
        raise _policy_violation(report, violations, policy, today)
    runs = [run for run in report.scanners if run.scope == "vulnerabilities"]
    completed = any(run.outcome in {"clean", "findings"} for run in runs)
    notes = [*_allow_list_notes(findings, policy, today), *(_unused(findings, policy, today) if completed else ())]
    if completed:
        return report.model_copy(update={"gate": "passed", "gate_reason": "; ".join([_passed(policy), *notes])})
    reason = "; ".join(f"{run.scanner}: {run.detail}" for run in runs)
    if policy.require_scanner:
        raise SCANNER_UNAVAILABLE(
            f"no scanner could check {report.target} for known vulnerabilities",
            evidence=[
                Evidence(kind="condition", text=f"{run.outcome}: {run.detail}", where=run.scanner) for run in runs
            ],
            remedy=reason,
        )
    unchecked = "; ".join([f"known vulnerabilities were not checked: {reason}", *notes])
    return report.model_copy(update={"gate": "not_checked", "gate_reason": unchecked})


def _passed(policy: ScanPolicy) -> str:
    if policy.fail_on is None:
        return "the policy allows all findings"
    fixable = " that can be fixed" if policy.only_fixable else ""
    return f"no findings of severity {policy.fail_on} or higher{fixable}"


def _allow_list_notes(findings: Sequence[ScanFinding], policy: ScanPolicy, today: date) -> Iterator[str]:
    """Report how many findings the allow list accepts, and its expired entries."""
    if allowed := sum(finding.allowed is not None for finding in findings):
        yield f"except {allowed} that the policy allows"
    for entry in policy.allow:
        if entry.expires < today:
            yield f"the entry for {entry.id} expired on {entry.expires.isoformat()} ({entry.reason})"


def _unused(findings: Sequence[ScanFinding], policy: ScanPolicy, today: date) -> Iterator[str]:
    for entry in policy.allow:
        if today <= entry.expires and not any(_matches(entry, finding) for finding in findings):
            yield f"the entry for {entry.id} matches no finding: remove it"


def _policy_violation(report: ScanReport, violations: Violations, policy: ScanPolicy, today: date) -> StageFailure:
    findings, repairs = violations.findings, violations.repairs
    names = list(dict.fromkeys(f"{finding.id} in {finding.package or finding.where}" for finding in findings))
    return POLICY_VIOLATION(
        f"{len(findings)} findings of severity {policy.fail_on} or higher in {report.target}: "
        + ", ".join(names[:3])
        + (" and more" if len(names) > 3 else ""),
        evidence=[_evidence(finding, policy, today) for finding in findings[:_MAX_EVIDENCE]],
        next_actions=[NextAction(why=_describe(change)) for change in repairs[:_MAX_ACTIONS]],
        removes=repairs[0].removes if repairs else 0,
        refused=len(findings),
    )


def _describe(change: Change) -> str:
    where = f"Edit {change.where}: " if change.where and change.where not in change.change else ""
    return f"{where}{change.change}. Removes {change.removes} of the findings."


def _evidence(finding: ScanFinding, policy: ScanPolicy, today: date) -> Evidence:
    package = (
        f" {finding.package} {finding.installed} → {finding.fixed or 'no fixed version yet'}" if finding.package else ""
    )
    expired = [entry for entry in policy.allow if _matches(entry, finding) and entry.expires < today]
    note = f" (was allowed until {expired[0].expires.isoformat()}: {expired[0].reason})" if expired else ""
    text = f"{finding.severity} {finding.id}{package}{note}: {finding.title}"
    return Evidence(kind="value", text=text[:500], where=finding.where or finding.path)
