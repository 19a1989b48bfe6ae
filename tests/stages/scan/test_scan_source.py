"""ScanSource with the real Trivy and hadolint, and what stands between them and a wrong answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.scan import ScannerSettings, ScanSource
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.integration]

SAMPLES = Path(__file__).parent / "builtin" / "lockfiles"
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
    assert fault.code == "scan.policy_violation"
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


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("api/Dockerfile", "Dockerfile"), "api/Dockerfile"),
        (("Dockerfile",), "Dockerfile"),
        (("api/Containerfile",), "api/Containerfile"),
    ],
)
async def test_the_dockerfile_that_a_build_takes_is_linted(
    ctx: Contexts, real_scanners: ScannerSettings, tmp_path: Path, files: tuple[str, ...], name: str
) -> None:
    (tmp_path / "api").mkdir()
    for file in files:
        (tmp_path / file).write_text("FROM debian:12\nRUN sudo ls\nUSER 1000\n")
    report = await ScanSource(real_scanners).execute(ctx(), Source(path=str(tmp_path), module="api"), ALL)
    assert [found.where for found in report.findings if found.id == "DL3004"] == [f"{name}:2"]


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


async def built_in(ctx: Contexts, folder: Path, osv: Path, **policy: Any) -> ScanReport:
    settings = ScannerSettings(search_path="/nowhere", osv=osv)
    return await ScanSource(settings).execute(ctx(), Source(path=str(folder)), ScanPolicy(**policy))


async def test_without_a_scanner_the_lock_files_are_matched_and_their_change_is_clean(
    ctx: Contexts, tmp_path: Path, exports: Callable[..., Path]
) -> None:
    shutil.copy(SAMPLES / "yarn1" / "yarn.lock", tmp_path)
    (tmp_path / "package.json").write_text('{"dependencies": {\n  "is-odd": "3.0.1"\n}}')
    osv = exports("npm", "is-odd", fixed="3.0.2")
    with pytest.raises(StageFailure) as refused:
        await built_in(ctx, tmp_path, osv)
    assert [(fact.where, fact.text.partition(":")[0]) for fact in refused.value.fault.evidence] == [
        ("package.json:2", "critical PLANTED-is-odd is-odd 3.0.1 → 3.0.2")
    ]
    assert "then run `yarn install`" in refused.value.fault.next_actions[0].why

    lock = (tmp_path / "yarn.lock").read_text()
    (tmp_path / "yarn.lock").write_text(lock.replace("is-odd@3.0.1", "is-odd@3.0.2").replace('"3.0.1"', '"3.0.2"'))
    report = await built_in(ctx, tmp_path, osv)
    assert (report.outcome, report.gate, report.scanners[-1].packages) == ("clean", "passed", 5)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("broken/package-lock.json", "{", "broken/package-lock.json:1 cannot be read"),
        ("api/package.json", '{"dependencies": {"x": "1"}}', "api/package.json has no lock file"),
        (
            "Gemfile.lock",
            "GEM\n  specs:\n    rack (2.2.6)\n\nDEPENDENCIES\n",
            "1 packages of RubyGems were not checked",
        ),
    ],
)
async def test_a_folder_with_unread_or_unmatched_packages_is_not_clean(
    ctx: Contexts, tmp_path: Path, exports: Callable[..., Path], file: str, content: str, reason: str
) -> None:
    (tmp_path / "requirements.txt").write_text("fine==1.0\n")
    osv = exports("PyPI", "other")
    assert (await built_in(ctx, tmp_path, osv)).outcome == "clean"
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    report = await built_in(ctx, tmp_path, osv)
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert reason in report.gate_reason


async def test_old_exports_are_stale_and_missing_exports_unavailable(
    ctx: Contexts, tmp_path: Path, exports: Callable[..., Path]
) -> None:
    (tmp_path / "requirements.txt").write_text("fine==1.0\n")
    report = await built_in(ctx, tmp_path, exports("PyPI", "other", modified="2020-01-01T00:00:00Z"))
    assert (report.outcome, report.gate) == ("stale", "not_checked")
    report = await built_in(ctx, tmp_path, tmp_path / "nowhere")
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert f"exports of OSV (https://google.github.io/osv.dev/data/#data-dumps) into {tmp_path}" in report.gate_reason


async def test_a_broken_export_is_reported(ctx: Contexts, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("fine==1.0\n")
    (tmp_path / "osv" / "PyPI").mkdir(parents=True)
    (tmp_path / "osv" / "PyPI" / "all.zip").write_text("cut off")
    report = await built_in(ctx, tmp_path, tmp_path / "osv")
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert "its export is broken" in report.gate_reason


async def test_exports_are_found_among_the_state_of_this_program(
    ctx: Contexts, tmp_path: Path, exports: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "osv").symlink_to(exports("PyPI", "ck-lib", fixed="1.5"))
    monkeypatch.setenv("CONTAINER_KIT_HOME", str(home))
    (tmp_path / "requirements.txt").write_text("ck_lib==1.0\n")
    report = await ScanSource(ScannerSettings(search_path="/nowhere")).execute(ctx(), Source(path=str(tmp_path)), ALL)
    assert [(found.id, found.where) for found in report.findings] == [("PLANTED-ck-lib", "requirements.txt:1")]


async def test_a_package_in_two_lock_files_is_found_in_each(
    ctx: Contexts, vulnerable: Source, real_scanners: ScannerSettings
) -> None:
    other = Path(vulnerable.path, "other")
    other.mkdir()
    (other / "requirements.txt").write_text("ck-lib==1.0\n")
    report = await ScanSource(real_scanners).execute(ctx(), vulnerable, ALL)
    assert [found.where for found in report.findings] == ["other/requirements.txt:1", "requirements.txt:2"]


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("requirements.txt", "ck-lib==1.5\nflask>=2\n", "requirements.txt:2: flask has no exact version"),
        ("web/package.json", '{"dependencies": {"x": "1"}}', "web/package.json has no lock file"),
    ],
)
async def test_dependencies_that_trivy_skips_silently_are_not_clean(
    ctx: Contexts, vulnerable: Source, real_scanners: ScannerSettings, file: str, content: str, reason: str
) -> None:
    Path(vulnerable.path, "requirements.txt").write_text("ck-lib==1.5\n")
    Path(vulnerable.path, file).parent.mkdir(exist_ok=True)
    Path(vulnerable.path, file).write_text(content)
    report = await ScanSource(real_scanners).execute(ctx(), vulnerable)
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert reason in report.gate_reason


async def test_trivy_findings_in_a_lock_file_are_led_to_the_workspace_member_or_the_override(
    ctx: Contexts, planted: Callable[..., None], real_scanners: ScannerSettings, tmp_path: Path
) -> None:
    planted(
        npm={"is-number": {"CVE-2099-0005": ("<6.0.1", "6.0.1")}, "is-odd": {"CVE-2099-0006": ("<3.0.2", "3.0.2")}},
        severities={"CVE-2099-0005": "HIGH", "CVE-2099-0006": "HIGH"},
    )
    shutil.copy(SAMPLES / "npm3" / "package-lock.json", tmp_path)
    (tmp_path / "packages" / "app").mkdir(parents=True)
    (tmp_path / "package.json").write_text('{"workspaces": ["packages/*"]}')
    (tmp_path / "packages" / "app" / "package.json").write_text('{"dependencies": {\n  "is-odd": "3.0.1"\n}}')
    report = await ScanSource(real_scanners).execute(ctx(), Source(path=str(tmp_path)), ALL)
    assert [(found.id, found.package, found.installed) for found in report.findings] == [
        ("CVE-2099-0005", "is-number", "6.0.0"),
        ("CVE-2099-0006", "is-odd", "3.0.1"),
    ]
    assert {change.where: change.change.partition(",")[0] for change in report.changes} == {
        "package.json": "another dependency brings is-number: require is-number 6.0.1 or later under `overrides` of "
        "package.json",
        "packages/app/package.json:2": "require is-odd 3.0.2 or later in packages/app/package.json:2",
    }


async def test_a_folder_that_is_not_there_is_a_fault(ctx: Contexts, real_scanners: ScannerSettings) -> None:
    for call in (ScanSource(real_scanners).validate, ScanSource(real_scanners).execute):
        with pytest.raises(StageFailure) as failed:
            await call(ctx(), Source(path="nowhere"))
        assert failed.value.fault.code == "path.not_found"


@pytest.mark.parametrize("version", ["0.69.4", "0.69.5", "0.69.6"])
async def test_a_malicious_trivy_is_rejected_without_running_it(
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
        ("echo broken", "does not report its version"),
        ("echo why >&2; exit 1", "does not report its version: why"),
    ],
)
async def test_a_trivy_with_invalid_output_is_unavailable(
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
