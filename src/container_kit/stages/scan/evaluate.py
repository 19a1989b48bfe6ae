"""From what the scanners said to a report that has passed the gate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.scan import gate
from container_kit.stages.scan.remediation.advice import advise
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.report import compose, merged
from container_kit.stages.scan.scanners.base import ScannerResult


def conclude(
    target: str, results: Sequence[ScannerResult], known: ScanContext, policy: ScanPolicy, cap: int
) -> ScanReport:
    """Merge the findings, say where each comes from, and judge them. It reads manifests, hence blocks.

    Raises:
        StageFailure: What the gate raises.
    """
    today = datetime.now(UTC).date()
    found = gate.allow(merged(results), policy, today)
    told, changes = advise(found, known)
    report = compose(target, results, told, changes, cap)
    refused, repairs = advise((finding for finding in found if gate.refuses(policy, finding)), known)
    return gate.judge(report, found, gate.Refused(refused, repairs), policy, today)
