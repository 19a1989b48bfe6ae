"""Scanning without an installed scanner: packages are matched against the advisories of OSV over its API."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanPolicy, ScanReport
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.scan import ScanImage, ScannerSettings, ScanSource
from container_kit.stages.scan.builtin.osv_api import Query
from support.pipelines.contexts import Contexts
from support.scan.osv_server import OsvServer, osv_server
from support.scan.planted_packages import DEBIAN, dpkg_status, metadata

pytestmark = pytest.mark.anyio

ALL = ScanPolicy(fail_on=None)


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OsvServer]:
    """A server of OSV, and a state folder without cached advisories."""
    monkeypatch.setenv("CONTAINER_KIT_HOME", str(tmp_path_factory.mktemp("home")))
    with osv_server() as server:
        yield server


@pytest.fixture
def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project that pins a vulnerable and a fixed package of each of two ecosystems."""
    (tmp_path / "requirements.txt").write_text("Requests==2.30.0\nflask==3.0.0\n")
    lock = {
        "lockfileVersion": 3,
        "packages": {
            "": {"dependencies": {"lodash": "4.17.20", "lodash-es": "4.17.21"}},
            "node_modules/lodash": {"version": "4.17.20"},
            "node_modules/lodash-es": {"version": "4.17.21"},
        },
    }
    (tmp_path / "package.json").write_text('{"dependencies": {"lodash": "4.17.20", "lodash-es": "4.17.21"}}')
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    return tmp_path


async def scan(ctx: Contexts, folder: Path, url: str | None, policy: ScanPolicy = ALL, **more: Any) -> ScanReport:
    settings = ScannerSettings(search_path="/nowhere", osv_api=url, **more)
    return await ScanSource(settings).execute(ctx(), Source(path=str(folder)), policy)


async def test_vulnerable_packages_of_a_folder_are_found_with_their_fix(
    ctx: Contexts, shop: Path, osv: OsvServer
) -> None:
    report = await scan(ctx, shop, osv.url)
    found = {(item.id, item.package, item.installed, item.fixed, item.severity) for item in report.findings}
    assert found == {
        ("GHSA-j8r2-6x86-q33q", "Requests", "2.30.0", "2.31.0", "medium"),
        ("GHSA-35jh-r3h4-6jhm", "lodash", "4.17.20", "4.17.21", "high"),
    }
    assert (report.outcome, report.gate) == ("findings", "passed")
    assert {item.where for item in report.findings} == {"requirements.txt:1", "package.json:1"}


async def test_the_gate_refuses_findings_of_the_api(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    with pytest.raises(StageFailure) as refused:
        await scan(ctx, shop, osv.url, ScanPolicy(fail_on="high"))
    assert refused.value.fault.code == "scan.policy_violation"


async def test_fixed_packages_are_clean(ctx: Contexts, tmp_path: Path, osv: OsvServer) -> None:
    (tmp_path / "requirements.txt").write_text("requests==2.31.0\n")
    report = await scan(ctx, tmp_path, osv.url)
    assert (report.outcome, report.gate) == ("clean", "passed")
    assert report.scanners[-1].packages == 1


async def test_only_names_versions_and_ecosystems_are_sent(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    await scan(ctx, shop, osv.url)
    sent = [(set(query), set(query["package"])) for query in osv.queries]
    assert sent == [({"package", "version"}, {"ecosystem", "name"})] * 4
    assert str(shop) not in json.dumps(osv.queries)


async def test_an_advisory_is_read_again_only_after_a_change(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    first = await scan(ctx, shop, osv.url)
    assert sorted(osv.read) == ["GHSA-35jh-r3h4-6jhm", "GHSA-j8r2-6x86-q33q"]
    osv.read.clear()
    assert (await scan(ctx, shop, osv.url)).findings == first.findings
    assert osv.read == []
    osv.records["GHSA-35jh-r3h4-6jhm"] |= {"modified": "2026-01-01T00:00:00Z", "summary": "A new summary"}
    again = await scan(ctx, shop, osv.url)
    assert osv.read == ["GHSA-35jh-r3h4-6jhm"]
    assert "A new summary" in {item.title for item in again.findings}


async def test_all_pages_of_a_result_are_read(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    for number in range(5):
        osv.records[f"GHSA-copy-{number}"] = osv.records["GHSA-35jh-r3h4-6jhm"] | {
            "id": f"GHSA-copy-{number}", "aliases": [],
        }  # fmt: skip
    osv.page_size = 2
    report = await scan(ctx, shop, osv.url)
    assert sum(item.package == "lodash" for item in report.findings) == 6


async def test_more_than_a_thousand_packages_are_sent_in_several_batches(
    ctx: Contexts, tmp_path: Path, osv: OsvServer
) -> None:
    names = "".join(f"package-{number}==1.0\n" for number in range(1500))
    (tmp_path / "requirements.txt").write_text(names + "requests==2.30.0\n")
    report = await scan(ctx, tmp_path, osv.url)
    assert [item.id for item in report.findings] == ["GHSA-j8r2-6x86-q33q"]
    assert len(osv.queries) == 1501


async def test_an_overloaded_server_is_asked_again(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    osv.refusals = 2
    assert len((await scan(ctx, shop, osv.url)).findings) == 2


async def test_a_withdrawn_advisory_is_ignored(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    osv.records["GHSA-35jh-r3h4-6jhm"]["withdrawn"] = "2024-01-01T00:00:00Z"
    assert [item.id for item in (await scan(ctx, shop, osv.url)).findings] == ["GHSA-j8r2-6x86-q33q"]


async def test_an_unreadable_advisory_is_still_a_finding(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    osv.broken.add("GHSA-35jh-r3h4-6jhm")
    report = await scan(ctx, shop, osv.url)
    found = {item.id: item.severity for item in report.findings}
    assert found == {"GHSA-35jh-r3h4-6jhm": "unknown", "GHSA-j8r2-6x86-q33q": "medium"}
    assert "1 advisories could not be read" in report.scanners[-1].detail


@pytest.mark.parametrize("invalid", ["../../etc/passwd", "a/b", "", "x" * 500, "GHSA-x\n"])
async def test_an_invalid_id_is_never_used_as_a_path(
    ctx: Contexts, shop: Path, osv: OsvServer, invalid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        return {"results": [{"vulns": [{"id": invalid, "modified": "x"}]} for _ in body["queries"]]}

    monkeypatch.setattr(osv, "answer_batch", answer)
    await scan(ctx, shop, osv.url)
    assert osv.read == []


async def test_nothing_is_sent_if_queries_are_turned_off(ctx: Contexts, shop: Path, osv: OsvServer) -> None:
    report = await scan(ctx, shop, None)
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert "CONTAINER_KIT_OSV_API" in report.gate_reason
    assert osv.queries == []


@pytest.mark.parametrize("value", ["off", "OFF", "false", "0", ""])
def test_the_variable_turns_queries_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_KIT_OSV_API", value)
    assert ScannerSettings().osv_api is None


def test_queries_go_to_osv_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTAINER_KIT_OSV_API")
    assert ScannerSettings().osv_api == "https://api.osv.dev"


async def test_exports_replace_the_api(ctx: Contexts, shop: Path, osv: OsvServer, exports: Callable[..., Path]) -> None:
    folder = exports("PyPI", "requests", fixed="2.31.0")
    report = await scan(ctx, shop, osv.url, osv=folder)
    assert [item.id for item in report.findings] == ["PLANTED-requests"]
    assert osv.queries == []


async def test_an_unreachable_server_means_that_nothing_was_scanned(ctx: Contexts, shop: Path, free_port: int) -> None:
    report = await scan(ctx, shop, f"http://127.0.0.1:{free_port}")
    assert (report.outcome, report.gate) == ("unavailable", "not_checked")
    assert f"OSV at http://127.0.0.1:{free_port} cannot be queried" in report.gate_reason
    assert "HTTPConnectionPool" not in report.gate_reason


async def test_a_server_that_answers_something_else_is_not_believed(
    ctx: Contexts, shop: Path, osv: OsvServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osv, "answer_batch", lambda _: {"results": []})
    report = await scan(ctx, shop, osv.url)
    assert report.outcome == "unavailable"
    assert "answered 0 of 4 queries" in report.gate_reason


@pytest.mark.parametrize(
    ("ecosystem", "sent"),
    [("Ubuntu:22.04", "Ubuntu:22.04:LTS"), ("Ubuntu:23.10", "Ubuntu:23.10"), ("Debian:12", "Debian:12"),
     ("Alpine:v3.20", "Alpine:v3.20")],
)  # fmt: skip
def test_ecosystems_are_named_as_osv_names_them(ecosystem: str, sent: str) -> None:
    assert Query(ecosystem, "x", "1").to_json()["package"]["ecosystem"] == sent


def test_go_versions_are_sent_without_their_prefix() -> None:
    assert Query("Go", "golang.org/x/text", "v0.3.7").to_json()["version"] == "0.3.7"


@pytest.mark.engine
async def test_vulnerable_packages_of_an_image_are_found(
    engine: DockerEngine, ctx: Contexts, imported: Callable[..., Image], osv: OsvServer
) -> None:
    site = "usr/lib/python3/site-packages"
    files = DEBIAN | {
        "var/lib/dpkg/status": dpkg_status(**{"php-league-commonmark": "2.3.9-1", "tiny": "1"}),
        f"{site}/requests-2.30.0.dist-info/METADATA": metadata("requests", "2.30.0"),
    }
    stage = ScanImage(engine, ScannerSettings(search_path="/nowhere", osv_api=osv.url))
    report = await stage.execute(ctx(), imported(files), ALL)
    found = {(item.id, item.package, item.fixed) for item in report.findings}
    assert found == {
        ("DEBIAN-CVE-2024-58382", "php-league-commonmark", None),
        ("GHSA-j8r2-6x86-q33q", "requests", "2.31.0"),
    }
    assert all(item.layer for item in report.findings)
