"""One report out of many, and the gate."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.scan import AllowedFinding, ScanFinding, ScannerRun, ScanPolicy, ScanReport
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.scan.evaluate import evaluate
from container_kit.stages.scan.remediation.context import ScanContext
from container_kit.stages.scan.scanners.base import ScannerResult

TODAY = date.today()  # noqa: DTZ011 - only compared with days far away


def vulnerability(name: str, severity: Any = "critical", **more: Any) -> ScanFinding:
    known = {"package": "x", "installed": "1", "fixed": "2", "found_by": ("one",)} | more
    return ScanFinding(id=name, kind="vulnerability", severity=severity, **known)


def result(*findings: ScanFinding, outcome: Any = None, scanner: str = "one", **more: Any) -> ScannerResult:
    outcome = outcome or ("findings" if findings else "clean")
    return ScannerResult(ScannerRun(scanner=scanner, outcome=outcome, **more), findings)


def judged(*results: ScannerResult, known: ScanContext | None = None, cap: int = 10, **policy: Any) -> ScanReport:
    return evaluate("shop:1", results, known or ScanContext(), ScanPolicy(**policy), cap)


def refused(*results: ScannerResult, **policy: Any) -> bool:
    try:
        judged(*results, **policy)
    except StageFailure as failure:
        return failure.fault.code == "scan.policy_violation"
    return False


@pytest.mark.parametrize(
    ("severity", "fixed", "fail_on", "only_fixable", "stops"),
    [
        ("critical", "2", "critical", True, True),
        ("critical", None, "critical", True, False),
        ("critical", None, "critical", False, True),
        ("high", "2", "critical", True, False),
        ("high", "2", "medium", True, True),
        ("critical", "2", None, True, False),
        ("unknown", "2", "unknown", True, True),
    ],
)
def test_the_gate_goes_by_severity_and_fix(
    severity: str, fixed: str | None, fail_on: str | None, only_fixable: bool, stops: bool
) -> None:
    found = result(vulnerability("CVE-1", severity, fixed=fixed))
    assert refused(found, fail_on=fail_on, only_fixable=only_fixable) is stops


@pytest.mark.parametrize(
    ("entry", "stops"),
    [
        ({"id": "CVE-1"}, False),
        ({"id": "GHSA-1"}, False),
        ({"id": "CVE-1", "package": "x"}, False),
        ({"id": "CVE-1", "package": "y"}, True),
        ({"id": "CVE-2"}, True),
        ({"id": "CVE-1", "expires": TODAY - timedelta(days=2)}, True),
    ],
)
def test_the_allow_list_goes_by_id_package_and_day(entry: dict[str, Any], stops: bool) -> None:
    allowed = AllowedFinding(**({"reason": "known", "expires": TODAY + timedelta(days=2)} | entry))
    assert refused(result(vulnerability("CVE-1", aliases=("GHSA-1",))), allow=(allowed,)) is stops


def entry(name: str, days: int = 2, **more: str) -> AllowedFinding:
    return AllowedFinding(id=name, reason="known", expires=TODAY + timedelta(days=days), **more)


def test_the_gate_counts_allowed_findings_beyond_the_cap() -> None:
    many = [vulnerability("CVE-1", package=f"p{number}") for number in range(30)]
    report = judged(result(*many), cap=5, allow=(entry("CVE-1"),))
    assert (
        report.gate_reason
        == "no findings of severity critical or higher that can be fixed; except 30 that the policy allows"
    )


def test_an_expired_entry_is_reported_even_if_the_gate_passes() -> None:
    report = judged(result(vulnerability("CVE-1", "low")), allow=(entry("CVE-1", days=-2),))
    assert report.gate == "passed"
    assert f"the entry for CVE-1 expired on {TODAY - timedelta(days=2)} (known)" in report.gate_reason


@pytest.mark.parametrize(("outcome", "told"), [("findings", True), ("unavailable", False)])
def test_an_unused_entry_is_reported_if_a_scanner_ran(outcome: str, told: bool) -> None:
    report = judged(result(outcome=outcome), allow=(entry("CVE-1"), entry("CVE-2", package="x")))
    assert ("the entry for CVE-1 matches no finding: remove it" in report.gate_reason) is told


def test_an_expired_entry_of_another_package_does_not_apply() -> None:
    with pytest.raises(StageFailure) as failure:
        judged(result(vulnerability("CVE-1")), allow=(entry("CVE-1", days=-2, package="y"),))
    assert "was allowed" not in failure.value.fault.evidence[0].text


def test_a_policy_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        AllowedFinding(id="CVE-1", reason="", expires=TODAY)


def test_a_policy_needs_a_day_that_exists() -> None:
    with pytest.raises(ValueError, match="date"):
        AllowedFinding.model_validate({"id": "CVE-1", "reason": "r", "expires": "2026-02-30"})


@pytest.mark.parametrize(
    ("results", "outcome", "gate"),
    [
        ((result(),), "clean", "passed"),
        ((result(outcome="unavailable"),), "unavailable", "not_checked"),
        ((result(outcome="stale"),), "stale", "not_checked"),
        ((result(outcome="unavailable"), result(outcome="stale")), "stale", "not_checked"),
        ((result(outcome="unavailable"), result()), "clean", "passed"),
        ((result(scope="dockerfile"),), "unavailable", "not_checked"),
        ((result(scope="dockerfile"), result(outcome="unavailable")), "unavailable", "not_checked"),
        ((), "unavailable", "not_checked"),
    ],
)
def test_clean_needs_a_scanner_that_looked(results: tuple[ScannerResult, ...], outcome: str, gate: str) -> None:
    report = judged(*results)
    assert (report.outcome, report.gate) == (outcome, gate)


def test_an_old_database_refuses_what_it_knows() -> None:
    assert refused(result(vulnerability("CVE-1"), outcome="stale"))


def test_a_vulnerability_of_two_scanners_is_reported_once() -> None:
    one = result(vulnerability("CVE-1", "medium", fixed=None))
    other = result(vulnerability("GHSA-1", "high", aliases=("CVE-1",), layer="L", found_by=("two",)), scanner="two")
    report = judged(one, other)
    assert [(f.id, f.aliases, f.severity, f.fixed, f.layer, f.found_by) for f in report.findings] == [
        ("CVE-1", ("GHSA-1",), "high", "2", "L", ("one", "two"))
    ]


def test_the_cap_keeps_the_worst_and_the_totals_count_all() -> None:
    many = [vulnerability(f"CVE-{n}", "low", package=f"p{n}") for n in range(30)]
    report = judged(result(*many, vulnerability("CVE-X", "high")), cap=5)
    assert (len(report.findings), report.omitted, report.findings[0].id) == (5, 26, "CVE-X")
    assert report.totals == {"high": 1, "low": 30}


def test_changes_are_grouped_and_count_what_they_remove(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask==1\nx==1\n")
    known = ScanContext(root=tmp_path)
    findings = [
        vulnerability("CVE-1", "high", package="x", ecosystem="pypi"),
        vulnerability("CVE-2", "critical", package="x", ecosystem="pypi", fixed="3"),
        vulnerability("CVE-3", "low", package="deep", ecosystem="pypi"),
        vulnerability("CVE-4", "low", package="flask", ecosystem="pypi", fixed=None),
    ]
    report = judged(result(*findings), known=known, fail_on=None)
    assert [(change.where, change.removes, change.worst, change.ids) for change in report.changes] == [
        ("requirements.txt:2", 2, "critical", ("CVE-2", "CVE-1")),
        ("requirements.txt", 1, "low", ("CVE-3",)),
    ]
    assert "another dependency brings deep" in report.changes[1].change


def test_a_refusal_shows_only_what_it_refuses() -> None:
    lint = ScanFinding(id="DL1", kind="dockerfile", severity="low", title="tidy", where="Dockerfile:1")
    with pytest.raises(StageFailure) as failure:
        judged(result(vulnerability("CVE-1"), vulnerability("CVE-2", "low", package="y"), lint))
    fault = failure.value.fault
    assert len(fault.evidence) == 1
    assert len(fault.next_actions) == 1
    assert "critical CVE-1 x 1 → 2" in fault.evidence[0].text
    assert not fault.retryable


def test_a_refusal_names_each_vulnerability_once() -> None:
    locations = [vulnerability("CVE-1", path=f"{folder}/yarn.lock") for folder in "ab"]
    with pytest.raises(StageFailure) as failure:
        judged(result(*locations))
    assert failure.value.fault.message == "2 findings of severity critical or higher in shop:1: CVE-1 in x"


def test_a_report_survives_json() -> None:
    report = judged(result(vulnerability("CVE-1", "low")), fail_on=None)
    assert ScanReport.model_validate_json(report.model_dump_json()) == report
