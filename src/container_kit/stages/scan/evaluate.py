"""From what the scanners said to a report that has passed the gate."""

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
    """Merge the findings, say where each comes from, and judge them. It reads manifests, hence blocks.

    Raises:
        StageFailure: What the gate raises.
    """
    today = datetime.now(UTC).date()
    found = gate.allow(merge_findings(results), policy, today)
    told, changes = plan_remediation(found, known)
    report = compose(target, results, told, changes, cap)
    refused, repairs = plan_remediation((finding for finding in found if gate.refuses(policy, finding)), known)
    return gate.judge(report, found, gate.Violations(refused, repairs), policy, today)
