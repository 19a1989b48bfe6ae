"""Images with planted packages, real scanners, and a database that knows nothing but planted findings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from container_kit.stages.artifacts.image import Image
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.scan import ScannerSettings
from support.scan.planted_packages import packed
from support.scan.scanners import scanner_programs
from support.scan.trivy_database import write_trivy_database


@pytest.fixture
def imported(docker_api: APIClient, unique: Callable[[], str]) -> Callable[..., Image]:
    """Makes a base image of files: `imported({"etc/os-release": …}, tag="2", name="…")`."""

    def make(files: Mapping[str, str | bytes], tag: str = "1", name: str | None = None) -> Image:
        repository = name or unique()
        docker_api.import_image_from_data(packed(files), repository=repository, tag=tag)
        reference = f"{repository}:{tag}"
        return Image(id=docker_api.inspect_image(reference)["Id"], reference=reference)

    return make


@pytest.fixture(params=["classic", "buildkit"])
def built(request: pytest.FixtureRequest, docker_api: APIClient, unique: Callable[[], str]) -> Callable[[Path], Image]:
    """Builds a folder with a Dockerfile into an image, by each of the engine's builders."""
    version = {"classic": "1", "buildkit": "2"}[request.param]

    def build(folder: Path) -> Image:
        reference = f"{unique()}:1"
        files = {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
        connection = DockerEngine().connection(60)
        try:
            connection.request("POST", f"/build?version={version}&rm=1&forcerm=1&t={reference}", packed(files))
            events = connection.getresponse().read().decode()
        finally:
            connection.close()
        assert '"error"' not in events, events
        return Image(id=docker_api.inspect_image(reference)["Id"], reference=reference, source=str(folder))

    return build


@pytest.fixture
def trivy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for Trivy's database; outside of the workspace."""
    return tmp_path_factory.mktemp("trivy")


@pytest.fixture
def real_scanners(trivy_cache: Path) -> ScannerSettings:
    """The real Trivy and hadolint, never going to the network; a database is written by the test."""
    return ScannerSettings(search_path=str(scanner_programs()), trivy_cache=trivy_cache, update_databases=False)


@pytest.fixture
def planted(trivy_cache: Path) -> Callable[..., None]:
    """Writes the database: `planted(debian={…}, pypi={…}, severities={…})`."""

    def write(**contents: object) -> None:
        write_trivy_database(trivy_cache, **contents)  # type: ignore[arg-type] # passed on as it is

    return write


@pytest.fixture
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Plants an advisory: `exports("PyPI", "x", fixed="2")`, with the day of its last change."""
    folder = tmp_path_factory.mktemp("osv")

    def plant(ecosystem: str, package: str, fixed: str = "2", modified: str | None = None, **more: Any) -> Path:
        (folder / ecosystem).mkdir(exist_ok=True)
        record = {
            "id": f"PLANTED-{package}",
            "modified": modified or datetime.now(UTC).isoformat(),
            "summary": f"planted in {package}",
            "database_specific": {"severity": "CRITICAL"},
            "affected": [
                {
                    "package": {"ecosystem": ecosystem, "name": package},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
                }
            ],
        } | more
        (folder / ecosystem / f"{package}.json").write_text(json.dumps(record))
        return folder

    return plant


@pytest.fixture
def only(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ScannerSettings]:
    """Settings that find only these programs."""

    def make(*names: str) -> ScannerSettings:
        folder = tmp_path_factory.mktemp("bin")
        for name in names:
            (folder / name).symlink_to(scanner_programs() / name)
        return ScannerSettings(search_path=str(folder), trivy_cache=folder)

    return make
