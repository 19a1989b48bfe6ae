"""An ecosystem that another package declares in one folder goes through every stage like the built-in ones."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import requests
from docker import APIClient

from container_kit.stages.analyze import Analyze, analyze
from container_kit.stages.artifacts.dockerfile import DockerfileOptions
from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.dockerfile import WriteDockerfile
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.scan import GenerateSourceSbom, ScannerSettings, ScanSource
from container_kit.stages.scan.builtin import versions
from stages.dockerfile.gate import check
from stages.ecosystems import glint
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_installed_glint")]


@pytest.fixture
def _installed_glint(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    site = tmp_path_factory.mktemp("site")
    glint.install(site)
    monkeypatch.syspath_prepend(str(site))
    _forget_lookups()
    yield
    sys.modules.pop("glint_for_container_kit", None)
    _forget_lookups()


def _forget_lookups() -> None:
    catalog.cache_clear()
    versions._scheme.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(path=str(glint.write_application(tmp_path / "shop")))


async def test_the_analysis_describes_its_application(ctx: Contexts, source: Source) -> None:
    module = (await Analyze().execute(ctx(stage="analyze"), source)).modules[0]
    values = (module.language, module.package_manager, module.framework, module.start_command, module.port)
    assert [value.value for value in values] == ["glint", "glintup", "sparkle", "perl main.glint", 4321]
    assert module.language_version.value == "18.1.0"
    assert [package.value for package in module.system_packages] == ["netbase"]


async def test_the_end_of_its_version_is_a_risk(source: Source) -> None:
    risks = [risk.message for risk in analyze(Path(source.path)).risks if risk.kind == "end_of_life"]
    assert risks == ["node 18 of shop has had no security fixes since 2025-04-30"]


async def test_its_tool_folders_are_not_analyzed(source: Source) -> None:
    inner = Path(source.path, ".glint")
    inner.mkdir()
    (inner / "glint.toml").write_text('name = "cached"\n')
    assert [module.name for module in analyze(Path(source.path)).modules] == ["shop"]


async def test_its_base_image_shows_the_language_of_a_folder_with_only_a_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM example.com/glintlang:1\nCMD ["serve"]\n')
    assert analyze(tmp_path).modules[0].language.value == "glint"


async def test_a_member_of_its_workspace_is_built_without_the_others(ctx: Contexts, tmp_path: Path) -> None:
    for name in ("shop", "other"):
        glint.write_application(tmp_path / name)
    (tmp_path / "glint.work").write_text("")
    source = Source(path=str(tmp_path), module="shop")
    analysis = await Analyze().execute(ctx(stage="analyze"), source)
    options = DockerfileOptions(write=False)
    dockerfile = await WriteDockerfile().execute(ctx(stage="write-dockerfile"), source, analysis, options)
    copied = [line for line in dockerfile.content.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert copied == ["COPY shop/glint.toml shop/glint.lock ./shop/", "COPY shop /app/shop"]


async def test_an_advisory_for_its_registry_matches_its_lock_file(
    ctx: Contexts, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> None:
    report = await _scan(ctx, source, tmp_path_factory.mktemp("osv"), package="SPARKLE")
    finding = report.findings[0]
    assert (finding.package, finding.installed, finding.fixed, finding.ecosystem) == (
        "sparkle",
        "1.0.0",
        "1.1.0",
        "glint",
    )
    assert finding.change == "require sparkle 1.1.0 or later in glint.toml:3, then run `glintup update sparkle`"


async def test_a_manifest_without_its_lock_file_is_reported(
    ctx: Contexts, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> None:
    Path(source.path, "glint.lock").unlink()
    Path(source.path, "glint.oldlock").write_text("")
    report = await _scan(ctx, source, tmp_path_factory.mktemp("osv"))
    notes = str(report.scanners)
    assert "glint.toml has no lock file" in notes
    assert "glint.oldlock is a lock file that the built-in matcher cannot read" in notes


async def test_its_dependency_folders_are_not_scanned(
    ctx: Contexts, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> None:
    inner = Path(source.path, "glint_packages")
    inner.mkdir()
    (inner / "glint.lock").write_text("sparkle 0.1.0\n")
    report = await _scan(ctx, source, tmp_path_factory.mktemp("osv"))
    assert [finding.installed for finding in report.findings] == ["1.0.0"]


async def test_its_packages_have_package_urls(ctx: Contexts, source: Source) -> None:
    sbom = await GenerateSourceSbom(ScannerSettings(search_path="/nowhere")).execute(ctx(), source)
    assert "pkg:glint/sparkle@1.0.0" in sbom.model_dump_json()


@pytest.mark.engine
@pytest.mark.timeout(300)
async def test_its_application_builds_and_answers(
    ctx: Contexts, source: Source, engine: DockerEngine, docker_api: APIClient, unique: Callable[[], str]
) -> None:
    analysis = await Analyze().execute(ctx(stage="analyze"), source)
    dockerfile = await WriteDockerfile(engine=engine).execute(ctx(stage="write-dockerfile"), source, analysis)
    check(dockerfile, Path(source.path), ("glint.lock",))
    image = await execute(BuildImage(engine), ctx(stage="build"), source, BuildOptions(tag=unique()), dockerfile)
    host = docker_api.create_host_config(port_bindings={4321: ("127.0.0.1", None)}, read_only=True, cap_drop=["ALL"])
    container = docker_api.create_container(image.id, ports=[4321], host_config=host)["Id"]
    try:
        docker_api.start(container)
        url = f"http://127.0.0.1:{docker_api.port(container, 4321)[0]['HostPort']}/"
        assert await anyio.to_thread.run_sync(_first_answer, url) == "hello from glint"
    finally:
        docker_api.remove_container(container, force=True, v=True)


def _first_answer(url: str) -> str:
    """Request until the application answers, for at most 30 seconds."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return requests.get(url, timeout=5).text
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise


async def _scan(ctx: Contexts, source: Source, exports: Path, package: str = "sparkle") -> ScanReport:
    record = {
        "id": "GLINT-1",
        "modified": "2026-11-30T00:00:00Z",
        "database_specific": {"severity": "CRITICAL"},
        "affected": [
            {
                "package": {"ecosystem": "Glint", "name": package},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.1.0"}]}],
            }
        ],
    }
    (exports / "Glint").mkdir()
    (exports / "Glint/GLINT-1.json").write_text(json.dumps(record))
    settings = ScannerSettings(search_path="/nowhere", osv=exports)
    return await ScanSource(settings).execute(ctx(stage="scan"), source, ScanPolicy(fail_on=None))
