"""Evaluation of a scan: from the scanners' results to a report that has passed the gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.scan import gate
from container_kit.stages.scan.remediation.advice import plan_remediation
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.report import compose, merge_findings
from container_kit.stages.scan.scanners.base import ScannerResult


def evaluate(
    target: str, results: Sequence[ScannerResult], known: ScanContext, policy: ScanPolicy, cap: int
) -> ScanReport:
    """Merge the findings, plan their remediation, and apply the policy. It reads manifests, so it blocks.

    Raises:
        StageFailure: A fault of the gate.
    """
    today = datetime.now(UTC).date()
    findings = gate.mark_allowed(merge_findings(results), policy, today)
    planned, changes = plan_remediation(findings, known)
    report = compose(target, results, planned, changes, cap)
    violations = plan_remediation((finding for finding in findings if gate.violates(policy, finding)), known)
    return gate.apply_policy(report, findings, gate.Violations(*violations), policy, today)
