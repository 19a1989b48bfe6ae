"""ScanImage with a real engine, a real Trivy and a real hadolint; what they may find is planted."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import AllowedFinding, ScanPolicy
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.scan import ScanImage, ScannerSettings
from support.pipelines.contexts import Contexts
from support.scan.planted_packages import DEBIAN, dpkg_status, metadata

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.integration]

EVERYTHING_PASSES = ScanPolicy(fail_on=None)
SAMPLES = Path(__file__).parent / "builtin" / "lockfiles"
BROUGHT = '    "node_modules/is-number": {'
SITE = "usr/lib/python3/dist-packages"


@pytest.fixture
def planted_debian(planted: Callable[..., None], imported: Callable[..., Image]) -> Callable[..., Image]:
    """Makes a Debian with one package, `ck-lib`, which has a finding below version 2."""
    planted(
        debian={"ck-lib": {"CVE-2099-0001": "2.0"}, "ck-other": {"CVE-2099-0002": ""}},
        severities={"CVE-2099-0001": "CRITICAL", "CVE-2099-0002": "HIGH"},
    )

    def make(version: str, **names: str) -> Image:
        return imported(DEBIAN | {"var/lib/dpkg/status": dpkg_status(**{"ck-lib": version, "ck-other": "1"})}, **names)

    return make


async def test_exactly_the_planted_findings_are_found(
    engine: DockerEngine, ctx: Contexts, planted_debian: Callable[..., Image], real_scanners: ScannerSettings
) -> None:
    report = await ScanImage(engine, real_scanners).execute(ctx(), planted_debian("1.0"), EVERYTHING_PASSES)
    seen = [(found.id, found.package, found.installed, found.fixed, found.severity) for found in report.findings]
    assert seen == [
        ("CVE-2099-0001", "ck-lib", "1.0", "2.0", "critical"),
        ("CVE-2099-0002", "ck-other", "1", None, "high"),
    ]
    assert (report.outcome, report.gate, report.totals) == ("findings", "passed", {"critical": 1, "high": 1})
    assert report.findings[0].ecosystem == "deb"
    assert report.findings[0].layer is not None


async def test_the_gate_stops_a_deployment_and_names_the_base_image_to_change(
    engine: DockerEngine,
    ctx: Contexts,
    unique: Callable[[], str],
    planted_debian: Callable[..., Image],
    built: Callable[[Path], Image],
    real_scanners: ScannerSettings,
    tmp_path: Path,
) -> None:
    base = unique()
    planted_debian("1.0", name=base, tag="1")
    planted_debian("2.0", name=base, tag="2")
    (tmp_path / "Dockerfile").write_text(f"# syntax comes first\nFROM {base}:1\nCOPY Dockerfile /app/\n")
    with pytest.raises(StageFailure) as refused:
        await ScanImage(engine, real_scanners).execute(ctx(), built(tmp_path), ScanPolicy(), Source(path=str(tmp_path)))
    fault = refused.value.fault
    assert fault.code == "scan.policy_violation"
    assert [(fact.where, fact.text.split(":")[0]) for fact in fault.evidence] == [
        ("Dockerfile:2", "critical CVE-2099-0001 ck-lib 1.0 → 2.0")
    ]
    assert len(fault.next_actions) == 1
    assert f"Dockerfile:2: take a build of {base}:1 that has ck-lib 2.0 or later" in fault.next_actions[0].why
    assert "removes 1 of the 1 findings" in fault.hint

    (tmp_path / "Dockerfile").write_text(f"FROM {base}:2\nCOPY Dockerfile /app/\n")
    report = await ScanImage(engine, real_scanners).execute(
        ctx(), built(tmp_path), ScanPolicy(), Source(path=str(tmp_path))
    )
    assert report.gate == "passed"
    assert [found.id for found in report.findings if found.kind == "vulnerability"] == ["CVE-2099-0002"]


async def test_a_dependency_is_led_back_to_its_manifest_line_and_layer(
    engine: DockerEngine,
    ctx: Contexts,
    planted: Callable[..., None],
    imported: Callable[..., Image],
    built: Callable[[Path], Image],
    real_scanners: ScannerSettings,
    tmp_path: Path,
) -> None:
    planted(pypi={"ck-lib": {"CVE-2099-0003": ("<1.5", "1.5")}}, severities={"CVE-2099-0003": "HIGH"})
    base = imported(DEBIAN | {"var/lib/dpkg/status": dpkg_status(tiny="1")})
    (tmp_path / "requirements.txt").write_text("# what we need\nck_lib==1.0\n")
    (tmp_path / "METADATA").write_text(metadata("ck-lib", "1.0"))
    dockerfile = f"FROM {base.reference}\nLABEL a=b\nCOPY METADATA /{SITE}/ck_lib-1.0.dist-info/METADATA\nUSER nobody\n"
    (tmp_path / "Dockerfile").write_text(dockerfile)
    report = await ScanImage(engine, real_scanners).execute(ctx(), built(tmp_path), EVERYTHING_PASSES)
    found = next(found for found in report.findings if found.kind == "vulnerability")
    assert (found.id, found.installed, found.fixed, found.ecosystem) == ("CVE-2099-0003", "1.0", "1.5", "pypi")
    assert found.where == "requirements.txt:2"
    assert (found.instruction or "").startswith("COPY ")
    assert found.change == "require ck-lib 1.5 or later in requirements.txt:2"
    change = next(change for change in report.changes if change.kind == "manifest")
    assert (change.where, change.removes, change.worst, change.ids) == (
        "requirements.txt:2", 1, "high", ("CVE-2099-0003",)
    )  # fmt: skip


@pytest.mark.parametrize("built", ["buildkit"], indirect=True)
async def test_each_change_says_how_many_findings_it_removes(
    engine: DockerEngine,
    ctx: Contexts,
    planted: Callable[..., None],
    imported: Callable[..., Image],
    built: Callable[[Path], Image],
    real_scanners: ScannerSettings,
    tmp_path: Path,
) -> None:
    planted(
        debian={"ck-lib": {"CVE-2099-0001": "2.0", "CVE-2099-0002": "2.1"}, "ck-two": {"CVE-2099-0003": "3.0"}},
        npm={"is-odd": {"CVE-2099-0006": ("<4", "4.0.0")}, "is-number": {"CVE-2099-0007": ("<6.0.1", "6.0.1")}},
        severities={f"CVE-2099-000{number}": "HIGH" for number in (1, 2, 3, 6, 7)},
    )
    base = imported(DEBIAN | {"var/lib/dpkg/status": dpkg_status(**{"ck-lib": "1.0", "ck-two": "1"})})
    shutil.copy(SAMPLES / "npm3" / "package-lock.json", tmp_path)
    (tmp_path / "packages" / "app").mkdir(parents=True)
    (tmp_path / "package.json").write_text('{"workspaces": ["packages/*"]}')
    (tmp_path / "packages" / "app" / "package.json").write_text('{"dependencies": {\n  "is-odd": "3.0.1"\n}}')
    (tmp_path / "odd.json").write_text('{"name": "is-odd", "version": "3.0.1"}')
    (tmp_path / "number.json").write_text('{"name": "is-number", "version": "6.0.0"}')
    copies = "".join(f"COPY {name}.json /app/node_modules/is-{name}/package.json\n" for name in ("odd", "number"))
    (tmp_path / "Dockerfile").write_text(f"FROM {base.reference}\n{copies}USER 1000\n")
    report = await ScanImage(engine, real_scanners).execute(ctx(), built(tmp_path), EVERYTHING_PASSES)
    found = {one.id: one for one in report.findings if one.kind == "vulnerability"}
    assert {name: (one.instruction or "").partition(" /")[0] for name, one in found.items()} == {
        "CVE-2099-0001": "imported",
        "CVE-2099-0002": "imported",
        "CVE-2099-0003": "imported",
        "CVE-2099-0006": "COPY odd.json",
        "CVE-2099-0007": "COPY number.json",
    }
    assert len({one.layer for one in found.values()}) == 3
    lock = (tmp_path / "package-lock.json").read_text().splitlines()
    assert (found["CVE-2099-0007"].where or "") == f"package-lock.json:{lock.index(BROUGHT) + 1}"
    forced = "another dependency brings is-number: require is-number 6.0.1 or later under `overrides` of package.json"
    changes = {change.where: (change.removes, change.change.partition(";")[0]) for change in report.changes}
    assert changes == {
        "Dockerfile:1": (3, f"take a build of {base.reference} that has ck-lib 2.1, ck-two 3.0 or later"),
        "packages/app/package.json:2": (
            1,
            "require is-odd 4.0.0 or later in packages/app/package.json:2, then run `npm install`",
        ),
        "package.json": (1, f"{forced}, then run `npm install`"),
    }


@pytest.mark.timeout(180)
@pytest.mark.parametrize("built", ["buildkit"], indirect=True)
async def test_a_real_installation_is_bumped_away(
    engine: DockerEngine,
    ctx: Contexts,
    planted: Callable[..., None],
    built: Callable[[Path], Image],
    real_scanners: ScannerSettings,
    tmp_path: Path,
) -> None:
    planted(pypi={"itsdangerous": {"CVE-2099-0004": ("<2.2.0", "2.2.0")}}, severities={"CVE-2099-0004": "CRITICAL"})
    dockerfile = "FROM python:3.11-slim AS base\nWORKDIR /app\nFROM base\nARG QUIET=--quiet\nCOPY requirements.txt .\n"
    dockerfile += "RUN pip install $QUIET \\\n    -r requirements.txt\nEXPOSE 80\nUSER 1000\nCMD sleep 1\n"
    (tmp_path / "Dockerfile").write_text(dockerfile)
    (tmp_path / "requirements.txt").write_text("itsdangerous==2.1.2\n")
    with pytest.raises(StageFailure) as refused:
        await ScanImage(engine, real_scanners).execute(ctx(), built(tmp_path))
    fault = refused.value.fault
    assert [fact.where for fact in fault.evidence] == ["requirements.txt:1"]
    assert "critical CVE-2099-0004 itsdangerous 2.1.2 → 2.2.0" in fault.evidence[0].text
    assert fault.next_actions[0].why.startswith("require itsdangerous 2.2.0 or later in requirements.txt:1")

    (tmp_path / "requirements.txt").write_text("itsdangerous==2.2.0\n")
    report = await ScanImage(engine, real_scanners).execute(ctx(), built(tmp_path))
    assert report.gate == "passed"
    assert report.scanners[0].outcome == "clean"
    assert not [found for found in report.findings if found.kind == "vulnerability"]


async def test_a_finding_is_allowed_until_its_last_day(
    engine: DockerEngine, ctx: Contexts, planted_debian: Callable[..., Image], real_scanners: ScannerSettings
) -> None:
    today = datetime.now(UTC).date()
    image = planted_debian("1.0")
    allowed = AllowedFinding(id="CVE-2099-0001", reason="not reachable", expires=today)
    report = await ScanImage(engine, real_scanners).execute(ctx(), image, ScanPolicy(allow=(allowed,)))
    assert report.gate == "passed"
    assert report.findings[0].allowed == f"not reachable (until {today.isoformat()})"

    expired = allowed.model_copy(update={"expires": today - timedelta(days=1)})
    with pytest.raises(StageFailure) as refused:
        await ScanImage(engine, real_scanners).execute(ctx(), image, ScanPolicy(allow=(expired,)))
    assert refused.value.fault.code == "scan.policy_violation"
    assert "was allowed until" in refused.value.fault.evidence[0].text


async def test_nothing_found_with_a_current_database_is_clean(
    engine: DockerEngine, ctx: Contexts, planted: Callable[..., None], imported: Callable[..., Image],
    real_scanners: ScannerSettings,
) -> None:  # fmt: skip
    planted(debian={"ck-lib": {"CVE-2099-0001": "2.0"}}, severities={"CVE-2099-0001": "CRITICAL"})
    image = imported(DEBIAN | {"var/lib/dpkg/status": dpkg_status(**{"ck-lib": "2.0"})})
    report = await ScanImage(engine, real_scanners).execute(ctx(), image)
    assert (report.outcome, report.gate, report.findings) == ("clean", "passed", ())
    assert report.scanners[0].packages == 1


async def test_nothing_found_with_an_old_database_is_stale(
    engine: DockerEngine, ctx: Contexts, planted: Callable[..., None], imported: Callable[..., Image],
    real_scanners: ScannerSettings,
) -> None:  # fmt: skip
    planted(debian={}, severities={}, age=timedelta(days=30))
    image = imported(DEBIAN | {"var/lib/dpkg/status": dpkg_status(tiny="1")})
    report = await ScanImage(engine, real_scanners).execute(ctx(), image)
    assert (report.outcome, report.gate) == ("stale", "not_checked")
    assert "too old" in report.gate_reason


async def test_an_image_without_known_packages_is_not_clean(
    engine: DockerEngine, ctx: Contexts, planted: Callable[..., None], imported: Callable[..., Image],
    real_scanners: ScannerSettings,
) -> None:  # fmt: skip
    planted(severities={})
    report = await ScanImage(engine, real_scanners).execute(ctx(), imported({"app": "a program"}))
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert "no package that it supports" in report.gate_reason


async def test_no_database_is_unavailable(
    engine: DockerEngine, ctx: Contexts, imported: Callable[..., Image], real_scanners: ScannerSettings
) -> None:
    report = await ScanImage(engine, real_scanners).execute(ctx(), imported({"app": "a program"}))
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert "trivy image --download-db-only" in report.gate_reason


async def test_a_missing_scanner_fails_the_gate_only_if_one_is_required(
    engine: DockerEngine, ctx: Contexts, imported: Callable[..., Image], tmp_path: Path
) -> None:
    image = imported({"app": "a program"})
    nothing = ScannerSettings(search_path=str(tmp_path))
    report = await ScanImage(engine, nothing).execute(ctx(), image)
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    with pytest.raises(StageFailure) as refused:
        await ScanImage(engine, nothing).execute(ctx(), image, ScanPolicy(require_scanner=True))
    assert refused.value.fault.code == "scan.scanner_unavailable"
    assert "Trivy is not installed" in refused.value.fault.hint


async def test_a_secret_in_the_image_is_found_and_never_shown(
    engine: DockerEngine, ctx: Contexts, planted: Callable[..., None], imported: Callable[..., Image],
    built: Callable[[Path], Image], real_scanners: ScannerSettings, tmp_path: Path,
) -> None:  # fmt: skip
    planted(severities={})
    key = "AKIA" + "Z7Q2XW5RN3KLPT6D"
    (tmp_path / "settings.env").write_text(f"AWS_ACCESS_KEY_ID={key}\n")
    base = imported(DEBIAN | {"var/lib/dpkg/status": dpkg_status(tiny="1")})
    (tmp_path / "Dockerfile").write_text(f"FROM {base.reference}\nCOPY settings.env /app/settings.env\nUSER nobody\n")
    stage = ScanImage(engine, real_scanners)
    with pytest.raises(StageFailure) as refused:
        await stage.execute(ctx(), built(tmp_path), ScanPolicy(), Source(path=str(tmp_path)))
    text = refused.value.fault.model_dump_json()
    assert "aws-access-key-id" in text
    assert "Dockerfile:2" in text
    assert key not in text
    assert key[4:] not in text


async def test_an_image_that_is_not_there_is_a_fault(
    engine: DockerEngine, ctx: Contexts, real_scanners: ScannerSettings, unique: Callable[[], str]
) -> None:
    missing = Image(id="", reference=f"{unique()}:nope")
    with pytest.raises(StageFailure) as failed:
        await ScanImage(engine, real_scanners).execute(ctx(), missing)
    assert failed.value.fault.code == "image.not_found"


async def test_cancelling_a_scan_leaves_nothing_behind(
    engine: DockerEngine, ctx: Contexts, imported: Callable[..., Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    fake = tmp_path / "bin" / "trivy"  # a Trivy that hangs cannot be had, so this one stands in
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nsleep 120 & echo $$ $! > {started}.part; mv {started}.part {started}; wait\n")
    fake.chmod(0o755)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    image = imported({"app": "a program"})
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ScanImage(engine, ScannerSettings(search_path=str(fake.parent))).execute, ctx(), image)
            while not started.exists():
                await anyio.sleep(0.01)
            before = anyio.current_time()
            tasks.cancel_scope.cancel()
    assert anyio.current_time() - before < 2
    assert list(temporary.iterdir()) == []
    with anyio.fail_after(2):  # a killed process is gone a moment later
        while any(_runs(pid) for pid in started.read_text().split()):
            await anyio.sleep(0.01)


async def test_a_dry_run_before_the_build_says_that_nothing_was_looked_at(
    engine: DockerEngine, ctx: Contexts, real_scanners: ScannerSettings
) -> None:
    report = await ScanImage(engine, real_scanners).execute(ctx(dry_run=True), Image(id="", reference="shop:latest"))
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert "dry run" in report.gate_reason


def _runs(pid: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
