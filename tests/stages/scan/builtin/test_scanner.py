"""Scanning without any scanner: the built-in matcher on real images, with planted OSV exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.scan import ScanImage, ScannerSettings
from support.pipelines.contexts import Contexts
from support.scan.planted_packages import DEBIAN, dpkg_status, metadata

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

SITE = "usr/lib/python3/site-packages"


@pytest.fixture
def image(imported: Callable[..., Image]) -> Image:
    return imported(
        DEBIAN
        | {
            "var/lib/dpkg/status": dpkg_status(**{"ck-deb": "1:1.0-1"}),
            f"{SITE}/ck_py-1.0.dist-info/METADATA": metadata("CK_Py", "1.0"),
        }
    )


async def scan(engine: DockerEngine, ctx: Contexts, image: Image, osv: Path, **policy: Any) -> ScanReport:
    settings = ScannerSettings(search_path="/nowhere", osv=osv)
    return await ScanImage(engine, settings).execute(ctx(), image, ScanPolicy(**policy))


async def test_exactly_the_planted_advisories_are_found(
    engine: DockerEngine, ctx: Contexts, image: Image, exports: Callable[..., Path]
) -> None:
    exports("PyPI", "ck-py", fixed="1.5")
    exports("PyPI", "elsewhere")
    osv = exports("Debian:12", "ck-deb", fixed="1:1.0-2")
    report = await scan(engine, ctx, image, osv, fail_on=None)
    seen = {(found.id, found.installed, found.fixed, found.ecosystem) for found in report.findings}
    assert seen == {("PLANTED-ck-py", "1.0", "1.5", "pypi"), ("PLANTED-ck-deb", "1:1.0-1", "1:1.0-2", "deb")}
    assert report.scanners[-1].packages == 2
    assert all(found.layer for found in report.findings)
    with pytest.raises(StageFailure) as refused:
        await scan(engine, ctx, image, osv)
    assert refused.value.fault.code == "scan.policy_violation"


async def test_fixed_versions_are_clean(
    engine: DockerEngine, ctx: Contexts, image: Image, exports: Callable[..., Path]
) -> None:
    exports("PyPI", "ck-py", fixed="1.0")
    report = await scan(engine, ctx, image, exports("Debian:12", "ck-deb", fixed="1:1.0-1"))
    assert (report.outcome, report.gate) == ("clean", "passed")


async def test_packages_without_an_export_are_not_clean(
    engine: DockerEngine, ctx: Contexts, image: Image, exports: Callable[..., Path]
) -> None:
    report = await scan(engine, ctx, image, exports("PyPI", "ck-py", fixed="1.0"))
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert "1 packages of Debian:12 were not checked" in report.gate_reason


async def test_old_exports_are_stale(
    engine: DockerEngine, ctx: Contexts, image: Image, exports: Callable[..., Path]
) -> None:
    exports("PyPI", "ck-py", fixed="1.0", modified="2020-01-01T00:00:00Z")
    report = await scan(engine, ctx, image, exports("Debian:12", "other"))
    assert (report.outcome, report.gate) == ("stale", "not_checked")
    assert "2020-01-01" in report.gate_reason


async def test_an_image_without_packages_is_not_clean(
    engine: DockerEngine, ctx: Contexts, imported: Callable[..., Image], exports: Callable[..., Path]
) -> None:
    report = await scan(engine, ctx, imported({"app": "a program"}), exports("PyPI", "x"))
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
