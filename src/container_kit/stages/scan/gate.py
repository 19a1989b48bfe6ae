"""The gate: whether what was found may go on, by a policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from container_kit.stages.artifacts.scan import SEVERITIES, AllowedFinding, Change, ScanFinding, ScanPolicy, ScanReport
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure

POLICY_VIOLATION = FaultCode(
    "scan.policy_violation",
    means="The scan found what the policy does not let pass.",
    hint="Make the changes that next_actions name, the first one removes {removes} of the {refused} refused findings, "
    "then scan again, an image after it was built anew. A finding that shall pass all the same needs an entry with a "
    "reason and a last day in the policy's allow list.",
)
SCANNER_UNAVAILABLE = FaultCode(
    "scan.scanner_unavailable",
    means="The policy wants a scan, and no scanner with a current database could look.",
    hint="{remedy}; or set require_scanner to false, and the gate says `not_checked` instead.",
)
FAULTS = (POLICY_VIOLATION, SCANNER_UNAVAILABLE)

_MOST_EVIDENCE = 10
_MOST_ACTIONS = 5


def allow(findings: Sequence[ScanFinding], policy: ScanPolicy, today: date) -> tuple[ScanFinding, ...]:
    """Mark the findings that the policy's allow list lets pass today."""
    return tuple(finding.model_copy(update={"allowed": _why_allowed(finding, policy, today)}) for finding in findings)


def _why_allowed(finding: ScanFinding, policy: ScanPolicy, today: date) -> str | None:
    for entry in policy.allow:
        if _names(entry, finding) and today <= entry.expires:
            return f"{entry.reason} (until {entry.expires.isoformat()})"
    return None


def _names(entry: AllowedFinding, finding: ScanFinding) -> bool:
    return entry.id in {finding.id, *finding.aliases} and entry.package in {None, finding.package}


@dataclass(frozen=True, slots=True)
class Violations:
    """The findings that a policy refuses, and the changes that make them go away, the best first."""

    findings: tuple[ScanFinding, ...] = ()
    repairs: tuple[Change, ...] = ()


def refuses(policy: ScanPolicy, finding: ScanFinding) -> bool:
    """Tell whether the policy refuses a finding that `allow` has marked."""
    if policy.fail_on is None or finding.allowed is not None:
        return False
    if SEVERITIES.index(finding.severity) < SEVERITIES.index(policy.fail_on):
        return False
    return not (policy.only_fixable and finding.kind == "vulnerability" and finding.fixed is None)


def judge(
    report: ScanReport, found: Sequence[ScanFinding], refused: Violations, policy: ScanPolicy, today: date
) -> ScanReport:
    """Let a report pass the gate, or not.

    Args:
        report: The report, its gate still open.
        found: All findings, those too that the report leaves out, as `allow` has marked them.
        refused: Those that the policy refuses.
        policy: What to refuse.
        today: The day on which the allow list's entries hold or have expired.

    Returns:
        The report with what the gate says: `passed`, or `not_checked` where no scanner with a current database looked.

    Raises:
        StageFailure: `scan.policy_violation` or `scan.scanner_unavailable`.
    """
    if refused.findings:
        raise _refusal(report, refused, policy, today)
    runs = [run for run in report.scanners if run.scope == "vulnerabilities"]
    completed = any(run.outcome in {"clean", "findings"} for run in runs)
    notes = [*_of_allow_list(found, policy, today), *(_useless(found, policy, today) if completed else ())]
    if completed:
        return report.model_copy(update={"gate": "passed", "gate_reason": "; ".join([_passing(policy), *notes])})
    reason = "; ".join(f"{run.scanner}: {run.detail}" for run in runs)
    if policy.require_scanner:
        raise SCANNER_UNAVAILABLE(
            f"no scanner could say whether {report.target} has known vulnerabilities",
            evidence=[
                Evidence(kind="condition", text=f"{run.outcome}: {run.detail}", where=run.scanner) for run in runs
            ],
            choose_remedy=reason,
        )
    unchecked = "; ".join([f"no scanner could look: {reason}", *notes])
    return report.model_copy(update={"gate": "not_checked", "gate_reason": unchecked})


def _passing(policy: ScanPolicy) -> str:
    if policy.fail_on is None:
        return "the policy lets everything pass"
    fixable = " that can be fixed" if policy.only_fixable else ""
    return f"nothing of severity {policy.fail_on} or worse{fixable}"


def _of_allow_list(found: Sequence[ScanFinding], policy: ScanPolicy, today: date) -> Iterator[str]:
    """How much the allow list lets pass, and what of it has expired."""
    if allowed := sum(finding.allowed is not None for finding in found):
        yield f"but for {allowed} that the policy allows"
    for entry in policy.allow:
        if entry.expires < today:
            yield f"the entry for {entry.id} has expired on {entry.expires.isoformat()} ({entry.reason})"


def _useless(found: Sequence[ScanFinding], policy: ScanPolicy, today: date) -> Iterator[str]:
    for entry in policy.allow:
        if today <= entry.expires and not any(_names(entry, finding) for finding in found):
            yield f"the entry for {entry.id} allows nothing that was found: it can go"


def _refusal(report: ScanReport, refused: Violations, policy: ScanPolicy, today: date) -> StageFailure:
    names = list(dict.fromkeys(f"{finding.id} in {finding.package or finding.where}" for finding in refused.findings))
    return POLICY_VIOLATION(
        f"{len(refused.findings)} findings of severity {policy.fail_on} or worse in {report.target}: "
        + ", ".join(names[:3])
        + (" and more" if len(names) > 3 else ""),
        evidence=[_evidence(finding, policy, today) for finding in refused.findings[:_MOST_EVIDENCE]],
        next_actions=[NextAction(why=_what_to_edit(change)) for change in refused.repairs[:_MOST_ACTIONS]],
        removes=refused.repairs[0].removes if refused.repairs else 0,
        refused=len(refused.findings),
    )


def _what_to_edit(change: Change) -> str:
    where = f"Edit {change.where}: " if change.where and change.where not in change.change else ""
    return f"{where}{change.change}. Removes {change.removes} of the refused findings."


def _evidence(finding: ScanFinding, policy: ScanPolicy, today: date) -> Evidence:
    package = (
        f" {finding.package} {finding.installed} → {finding.fixed or 'no fixed version yet'}" if finding.package else ""
    )
    expired = [entry for entry in policy.allow if _names(entry, finding) and entry.expires < today]
    note = f" (was allowed until {expired[0].expires.isoformat()}: {expired[0].reason})" if expired else ""
    text = f"{finding.severity} {finding.id}{package}{note}: {finding.title}"
    return Evidence(kind="value", text=text[:500], where=finding.where or finding.path)
