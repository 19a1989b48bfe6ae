"""Matching packages with OSV advisories, on records that are planted here."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from container_kit.stages.ecosystems.facets.dependencies.packages import Package, System, system
from container_kit.stages.scan.builtin import osv
from container_kit.stages.scan.builtin.matching import match
from container_kit.stages.scan.builtin.osv import Advisory, load


def advisory(*events: dict[str, str], versions: tuple[str, ...] = (), kind: str = "ECOSYSTEM", **more: Any) -> Advisory:
    affected = {
        "package": {"ecosystem": "PyPI", "name": "x"},
        "ranges": [{"type": kind, "events": list(events)}],
        "versions": list(versions),
    }
    return Advisory.model_validate({"id": "GHSA-x", "affected": [affected], **more})


@pytest.mark.parametrize(
    ("version", "hit", "fixed"),
    [("1.0", True, "1.5"), ("1.5", False, None), ("2.1", True, "2.3"), ("2.3", False, None), ("1.10", False, None)],
)
def test_a_version_is_hit_between_introduction_and_fix_in_any_order(version: str, hit: bool, fixed: str | None) -> None:
    events = ({"introduced": "2.0"}, {"fixed": "2.3"}, {"introduced": "0"}, {"fixed": "1.5"})
    verdict = match(advisory(*events).affected[0], Package("pypi", "x", version))
    assert (verdict.affected, verdict.fixed) == (hit, fixed)


@pytest.mark.parametrize(("version", "hit"), [("3.0", True), ("3.1", False)])
def test_last_affected_is_affected(version: str, hit: bool) -> None:
    found = advisory({"introduced": "0"}, {"last_affected": "3.0"})
    assert match(found.affected[0], Package("pypi", "x", version)).affected is hit


def test_versions_that_are_listed_are_hit_and_commits_are_left_only() -> None:
    found = advisory({"introduced": "0"}, kind="GIT", versions=("1.0",))
    assert match(found.affected[0], Package("pypi", "x", "1.0")).affected is True
    assert match(found.affected[0], Package("pypi", "x", "1.1")).affected is False


@pytest.mark.parametrize(
    ("ecosystem", "below", "fixed"),
    [("deb", "1:1.2-1~deb12u1", "1:1.2-1"), ("apk", "3.1.4-r2", "3.1.4-r10"), ("npm", "1.0.0-rc.1", "1.0.0"),
     ("maven", "2.0-beta", "2.0"), ("pypi", "1.0rc1", "1.0")],
)  # fmt: skip
def test_each_ecosystem_compares_as_its_own_tools_do(ecosystem: str, below: str, fixed: str) -> None:
    found = advisory({"introduced": "0"}, {"fixed": fixed})
    assert match(found.affected[0], Package(ecosystem, "x", below)).affected is True
    assert match(found.affected[0], Package(ecosystem, "x", fixed)).affected is False


def test_what_cannot_be_compared_is_neither_hit_nor_safe() -> None:
    found = advisory({"introduced": "0"}, {"fixed": "1.0"})
    assert match(found.affected[0], Package("pypi", "x", "not a version")).affected is None


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"database_specific": {"severity": "MODERATE"}}, "medium"),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}, "critical"),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}]}, "high"),
        ({"severity": [{"type": "CVSS_V3", "score": "nonsense"}]}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_severity_is_the_databases_word_or_the_score(more: dict[str, Any], severity: str) -> None:
    assert osv.rated(advisory(**more)) == severity


@pytest.mark.parametrize(
    ("package", "system", "ecosystem"),
    [
        (Package("deb", "x", "1"), System("debian", "12.11"), "Debian:12"),
        (Package("deb", "x", "1"), System("ubuntu", "22.04"), "Ubuntu:22.04"),
        (Package("apk", "x", "1"), System("alpine", "3.19.1"), "Alpine:v3.19"),
        (Package("deb", "x", "1"), System("other", "1"), None),
        (Package("deb", "x", "1"), None, None),
        (Package("npm", "x", "1"), None, "npm"),
    ],
)
def test_the_ecosystem_is_named_as_osv_names_it(package: Package, system: System | None, ecosystem: str | None) -> None:
    assert osv.ecosystem_of(package, system) == ecosystem


@pytest.mark.anyio
async def test_an_export_is_read_from_a_zip_or_a_folder(tmp_path: Path) -> None:
    kept = advisory({"introduced": "0"}, modified="2026-01-02T00:00:00Z").model_dump_json()
    withdrawn = advisory({"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z").model_dump_json()
    other = json.dumps({"id": "o", "modified": "2026-01-09T00:00:00Z", "affected": [{"package": {"name": "other"}}]})
    records = {"a.json": kept, "b.json": withdrawn, "c.json": other, "d.json": "{", "e.json": "[]", "README": "no"}
    (tmp_path / "zip" / "PyPI").mkdir(parents=True)
    (tmp_path / "folder" / "PyPI").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "zip" / "PyPI" / "all.zip", "w") as archive:
        for name, text in records.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 3, 0, 0, 0)), text)
            (tmp_path / "folder" / "PyPI" / name).write_text(text)
    for place in ("zip", "folder"):
        loaded = await anyio.to_thread.run_sync(load, tmp_path / place, "PyPI", {"x"})
        assert loaded is not None
        assert [found.id for found, _ in loaded.by_package["x"]] == ["GHSA-x"]
        assert (loaded.newest, loaded.unreadable) == ("2026-01-09T00:00:00Z", 2)
    assert await anyio.to_thread.run_sync(load, tmp_path / "zip", "npm", {"x"}) is None


@pytest.mark.anyio
async def test_an_export_of_records_that_are_old_is_as_new_as_it_was_packed(tmp_path: Path) -> None:
    (tmp_path / "Hex").mkdir()
    with zipfile.ZipFile(tmp_path / "Hex" / "all.zip", "w") as archive:
        record = {"id": "A-1", "modified": "2025-01-01T00:00:00Z", "affected": []}
        archive.writestr(zipfile.ZipInfo("A-1.json", (2026, 2, 3, 4, 5, 6)), json.dumps(record))
    loaded = await anyio.to_thread.run_sync(load, tmp_path, "Hex", {"x"})
    assert loaded is not None
    assert loaded.newest == "2026-02-03T04:05:06Z"


@pytest.mark.anyio
async def test_the_name_of_an_export_may_have_further_parts_of_its_release(tmp_path: Path) -> None:
    record = {"id": "USN-1", "affected": [{"package": {"ecosystem": "Ubuntu:22.04:LTS", "name": "x"}}]}
    (tmp_path / "Ubuntu:22.04:LTS").mkdir()
    (tmp_path / "Ubuntu:22.04:LTS" / "1.json").write_text(json.dumps(record))
    loaded = await anyio.to_thread.run_sync(load, tmp_path, "Ubuntu:22.04", {"x"})
    assert loaded is not None
    assert [found.id for found, _ in loaded.by_package["x"]] == ["USN-1"]


@pytest.mark.parametrize("text", ["ID=ubuntu\nVERSION_ID=../../etc\n", "ID=../x\nVERSION_ID=1\n", "VERSION_ID=1\n"])
def test_an_unknown_system_has_no_ecosystem(text: str) -> None:
    assert system(text) is None


@pytest.mark.anyio
async def test_a_record_of_another_release_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "Debian").mkdir()
    for number in ("11", "12"):
        record = {
            "id": f"DSA-{number}",
            "modified": "2026-01-01T00:00:00Z",
            "affected": [{"package": {"ecosystem": f"Debian:{number}", "name": "x"}}],
        }
        (tmp_path / "Debian" / f"{number}.json").write_text(json.dumps(record))
    loaded = await anyio.to_thread.run_sync(load, tmp_path, "Debian:12", {"x"})
    assert loaded is not None
    assert [found.id for found, _ in loaded.by_package["x"]] == ["DSA-12"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("ecosystem", "advised", "wanted", "found"),
    [
        ("NuGet", "Newtonsoft.Json", "newtonsoft.json", True),
        ("Packagist", "Guzzle/Psr7", "guzzle/psr7", True),
        ("PyPI", "Ck_Lib.x", "ck-lib-x", True),
        ("npm", "X", "x", False),
    ],
)
async def test_names_are_the_same_where_their_registry_says_so(
    tmp_path: Path, ecosystem: str, advised: str, wanted: str, found: bool
) -> None:
    (tmp_path / ecosystem).mkdir()
    record = {"id": "A-1", "affected": [{"package": {"ecosystem": ecosystem, "name": advised}}]}
    (tmp_path / ecosystem / "A-1.json").write_text(json.dumps(record))
    loaded = await anyio.to_thread.run_sync(load, tmp_path, ecosystem, {osv.common_name(ecosystem, wanted)})
    assert loaded is not None
    assert bool(loaded.by_package[wanted]) is found


@pytest.mark.parametrize(
    ("ecosystem", "below", "fixed"),
    [
        ("golang", "v1.9.0", "1.9.1"),
        ("golang", "v0.0.0-20200101000000-aaaaaaaaaaaa", "0.0.0-20210101000000-bbbbbbbbbbbb"),
        ("cargo", "0.1.43", "0.2.0"),
        ("gem", "1.15.0.rc1", "1.15.0"),
        ("composer", "v1.8.3", "1.8.4"),
        ("nuget", "12.0.3", "13.0.1"),
        ("hex", "1.7.0-rc.0", "1.7.0"),
    ],
)
def test_versions_of_lock_files_compare(ecosystem: str, below: str, fixed: str) -> None:
    found = advisory({"introduced": "0"}, {"fixed": fixed})
    assert match(found.affected[0], Package(ecosystem, "x", below)).affected is True
    assert match(found.affected[0], Package(ecosystem, "x", fixed)).affected is False
