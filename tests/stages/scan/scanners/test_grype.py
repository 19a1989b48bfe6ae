"""Grype's answers. No Grype can be had here, so a program stands in that answers in Grype's documented form."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.scan import ScanImage, ScannerSettings
from support.pipelines.contexts import Contexts
from support.scan.planted_packages import DEBIAN, dpkg_status

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

MATCH = {
    "vulnerability": {
        "id": "GHSA-x",
        "severity": "High",
        "description": "planted\nmore",
        "fix": {"versions": ["3.0", "2.0"], "state": "fixed"},
    },
    "relatedVulnerabilities": [{"id": "CVE-2099-1", "severity": "High"}],
    "artifact": {
        "name": "ck-lib",
        "version": "1.0",
        "type": "deb",
        "purl": "pkg:deb/debian/ck-lib@1.0",
        "locations": [{"path": "/var/lib/dpkg/status", "layerID": "sha256:abc"}],
    },
}


@pytest.fixture
def grype(tmp_path: Path) -> Callable[..., ScannerSettings]:
    """Makes a stand-in: `grype(matches=[…], built=…)`."""

    def make(scan: Any = None, built: datetime | None = None, status: Any = None) -> ScannerSettings:
        program = tmp_path / "bin" / "grype"
        program.parent.mkdir()
        answers = {
            "version": {"application": "grype", "version": "0.121.2"},
            "db": status or {"schemaVersion": "v6.1.0", "built": (built or datetime.now(UTC)).isoformat()},
            "scan": scan if scan is not None else {"matches": []},
        }
        for name, answer in answers.items():
            (tmp_path / f"{name}.json").write_text(answer if isinstance(answer, str) else json.dumps(answer))
        program.write_text(
            "#!/bin/sh\n"
            f'case "$1" in version) cat {tmp_path}/version.json ;; db) cat {tmp_path}/db.json ;;\n'
            f'docker-archive:*) test -s "${{1#docker-archive:}}" && cat {tmp_path}/scan.json ;; *) exit 9 ;; esac\n'
        )
        program.chmod(0o755)
        return ScannerSettings(search_path=f"{program.parent}:/bin", update_databases=False)

    return make


@pytest.fixture
def scan(engine: DockerEngine, ctx: Contexts, imported: Callable[..., Image]) -> Any:
    async def run(settings: ScannerSettings, files: dict[str, str]) -> ScanReport:
        return await ScanImage(engine, settings).execute(ctx(), imported(files), ScanPolicy(fail_on=None))

    return run


WITH_PACKAGES = DEBIAN | {"var/lib/dpkg/status": dpkg_status(**{"ck-lib": "1.0"})}


async def test_matches_become_findings(scan: Any, grype: Callable[..., ScannerSettings]) -> None:
    report = await scan(grype({"matches": [MATCH]}), WITH_PACKAGES)
    found = report.findings[0]
    assert (found.id, found.aliases, found.severity, found.package) == ("GHSA-x", ("CVE-2099-1",), "high", "ck-lib")
    assert (found.fixed, found.ecosystem, found.layer, found.title) == ("2.0", "deb", "sha256:abc", "planted")
    assert report.scanners[1].version == "0.121.2"


async def test_no_match_is_clean_if_the_image_has_packages(scan: Any, grype: Callable[..., ScannerSettings]) -> None:
    report = await scan(grype(), WITH_PACKAGES)
    assert (report.outcome, report.gate, report.scanners[1].packages) == ("clean", "passed", 1)


async def test_no_match_without_packages_is_not_clean(scan: Any, grype: Callable[..., ScannerSettings]) -> None:
    report = await scan(grype(), {"app": "a program"})
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")


async def test_an_old_database_is_stale(scan: Any, grype: Callable[..., ScannerSettings]) -> None:
    report = await scan(grype(built=datetime.now(UTC) - timedelta(days=20)), WITH_PACKAGES)
    assert (report.outcome, report.gate) == ("stale", "not_checked")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"status": {"error": "no database there"}}, "no vulnerability database (no database there)"),
        ({"status": "junk"}, "`grype db status` has no valid output"),
        ({"scan": "junk"}, "output is not valid"),
    ],
)
async def test_a_grype_with_invalid_output_is_unavailable(
    scan: Any, grype: Callable[..., ScannerSettings], answers: dict[str, Any], reason: str
) -> None:
    report = await scan(grype(**answers), WITH_PACKAGES)
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert reason in report.gate_reason
