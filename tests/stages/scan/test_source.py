"""ScanSource with the real Trivy and hadolint, and what stands between them and a wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from container_kit.stages.artifacts.scan import ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.fault import StageFailure
from container_kit.stages.scan import ScannerSettings, ScanSource
from support.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

ALL = ScanPolicy(fail_on=None)


@pytest.fixture
def vulnerable(planted: Callable[..., None], tmp_path: Path) -> Source:
    planted(pypi={"ck-lib": {"CVE-2099-0003": ("<1.5", "1.5")}}, severities={"CVE-2099-0003": "CRITICAL"})
    (tmp_path / "requirements.txt").write_text("first==1\nck-lib==1.0\n")
    return Source(path=str(tmp_path))


async def test_a_vulnerable_dependency_is_refused_and_its_fix_passes(
    ctx: Contexts, vulnerable: Source, real_scanners: ScannerSettings
) -> None:
    with pytest.raises(StageFailure) as refused:
        await ScanSource(real_scanners).execute(ctx(), vulnerable)
    fault = refused.value.fault
    assert fault.code == "scan.refused"
    assert fault.next_actions[0].why.startswith("require ck-lib 1.5 or later in requirements.txt:2")

    Path(vulnerable.path, "requirements.txt").write_text("first==1\nck-lib==1.5\n")
    report = await ScanSource(real_scanners).execute(ctx(), vulnerable)
    assert (report.outcome, report.gate) == ("clean", "passed")


async def test_a_repository_cannot_hide_its_findings(
    ctx: Contexts, vulnerable: Source, real_scanners: ScannerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(vulnerable.path, ".trivyignore").write_text("CVE-2099-0003\n")
    Path(vulnerable.path, "trivy.yaml").write_text("severity: LOW\n")
    monkeypatch.chdir(vulnerable.path)
    monkeypatch.setenv("TRIVY_SEVERITY", "LOW")
    report = await ScanSource(real_scanners).execute(ctx(), vulnerable, ALL)
    assert [found.id for found in report.findings] == ["CVE-2099-0003"]


async def test_lints_carry_their_line(ctx: Contexts, vulnerable: Source, real_scanners: ScannerSettings) -> None:
    Path(vulnerable.path, "Dockerfile").write_text("FROM debian:12\nRUN cd /tmp && sudo ls\nWORKDIR app\nUSER 1000\n")
    report = await ScanSource(real_scanners).execute(ctx(), vulnerable, ALL)
    seen = {(found.id, found.where, found.severity) for found in report.findings if found.found_by == ("hadolint",)}
    assert seen == {
        ("DL3004", "Dockerfile:2", "medium"),
        ("DL3003", "Dockerfile:2", "low"),
        ("DL3000", "Dockerfile:3", "medium"),
    }


@pytest.mark.parametrize("text", ["FROM debian:12\nRUNN x\n", "FROM debian:12\nRUN <<E\necho\nE\n# then\nUSER u\n"])
async def test_what_hadolint_cannot_parse_is_unavailable_and_no_finding(
    ctx: Contexts, vulnerable: Source, real_scanners: ScannerSettings, text: str
) -> None:
    Path(vulnerable.path, "Dockerfile").write_text(text)
    report = await ScanSource(real_scanners).execute(ctx(), vulnerable, ALL)
    hadolint = next(run for run in report.scanners if run.scanner == "hadolint")
    assert (hadolint.outcome, hadolint.version) == ("unavailable", "2.15.1")
    assert "cannot parse Dockerfile:" in hadolint.detail
    assert not [found for found in report.findings if "hadolint" in found.found_by]


async def test_a_folder_that_is_not_there_is_a_fault(ctx: Contexts, real_scanners: ScannerSettings) -> None:
    for call in (ScanSource(real_scanners).validate, ScanSource(real_scanners).execute):
        with pytest.raises(StageFailure) as failed:
            await call(ctx(), Source(path="nowhere"))
        assert failed.value.fault.code == "path.missing"


@pytest.mark.parametrize("version", ["0.69.4", "0.69.5", "0.69.6"])
async def test_a_malicious_trivy_is_refused_without_being_run(
    ctx: Contexts, vulnerable: Source, tmp_path: Path, version: str
) -> None:
    """The malicious releases themselves cannot be had; this program bears their build information."""
    ran = tmp_path / "ran"
    program = tmp_path / "bin" / "trivy"
    program.parent.mkdir()
    stamp = f"\nmod\tgithub.com/aquasecurity/trivy\tv{version}\th1:x\n".encode()
    program.write_bytes(f"#!/bin/sh\ntouch {ran}\nexit\n".encode() + b"\xff Go buildinf:" + stamp)
    program.chmod(0o755)
    report = await ScanSource(ScannerSettings(search_path=str(program.parent))).execute(ctx(), vulnerable)
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert f"Trivy {version} is refused" in report.gate_reason
    assert not ran.exists()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ('echo \'{"Version": "0.69.4"}\'', "0.69.4 is refused"),
        ("echo broken", "does not tell its version"),
        ("echo why >&2; exit 1", "does not tell its version: why"),
    ],
)
async def test_a_trivy_that_makes_no_sense_is_unavailable(
    ctx: Contexts, vulnerable: Source, tmp_path: Path, script: str, reason: str
) -> None:
    """A stand-in, for the real one does not break."""
    program = tmp_path / "bin" / "trivy"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    report = await ScanSource(ScannerSettings(search_path=str(program.parent))).execute(ctx(), vulnerable)
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert reason in report.gate_reason
