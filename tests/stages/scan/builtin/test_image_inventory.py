"""The built-in inventory: what is installed, with layers, whiteouts and links honoured."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import pytest
from docker import APIClient

from container_kit.stages.ecosystems.facets.dependencies.packages import Package, System, apk, dpkg
from container_kit.stages.scan.builtin.image_inventory import Inventory, UnreadableArchive, read
from support.scan.planted_packages import DEBIAN, LinkTo, dpkg_status, image_archive, jar, metadata, pom

pytestmark = pytest.mark.anyio

SITE = "usr/lib/python3/site-packages"
STATUS = "var/lib/dpkg/status"


@pytest.fixture
def inventory(tmp_path: Path) -> Callable[..., Inventory]:
    """Reads an archive of layers; call it in a worker thread."""

    def of(*layers: dict[str, str | bytes | LinkTo]) -> Inventory:
        path = tmp_path / "image.tar"
        path.write_bytes(image_archive(*layers))
        return read(path)

    return of


def _brief(inventory: Inventory) -> set[tuple[str, str, str, str]]:
    return {(p.ecosystem, p.name, p.version, (p.layer or "").removeprefix("sha256:")) for p in inventory.packages}


async def test_each_kind_of_package_is_read(inventory: Callable[..., Inventory]) -> None:
    layer = {
        **DEBIAN,
        STATUS: dpkg_status(bash="5.2"),
        "lib/apk/db/installed": "P:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\nP:ssl\nV:3.1-r0\no:openssl\n",
        f"{SITE}/Flask-2.0.dist-info/METADATA": metadata("Flask", "2.0"),
        "srv/node_modules/@scope/thing/package.json": '{"name": "@scope/thing", "version": "1.2.3"}',
        "srv/app.jar": jar(
            **{
                "META-INF__maven__g__a__pom.properties": pom("org.g", "a", "4.5"),
                "BOOT-INF__lib__inner-9.9.jar": jar(**{"META-INF__maven__x__pom.properties": pom("x", "inner", "9.9")}),
                "BOOT-INF__lib__bare-1.0.1.jar": jar(Main=b"class"),
            }
        ),
    }
    found = await anyio.to_thread.run_sync(inventory, layer)
    assert _brief(found) == {
        ("deb", "bash", "5.2", "layer0"),
        ("apk", "musl", "1.2.4-r2", "layer0"),
        ("apk", "ssl", "3.1-r0", "layer0"),
        ("pypi", "Flask", "2.0", "layer0"),
        ("npm", "@scope/thing", "1.2.3", "layer0"),
        ("maven", "org.g:a", "4.5", "layer0"),
        ("maven", "x:inner", "9.9", "layer0"),
        ("maven", "bare", "1.0.1", "layer0"),
    }
    assert found.system == System("debian", "12")


async def test_what_an_upper_layer_deletes_is_not_installed(inventory: Callable[..., Inventory]) -> None:
    found = await anyio.to_thread.run_sync(
        inventory,
        {
            f"{SITE}/gone-1.dist-info/METADATA": metadata("gone", "1"),
            f"{SITE}/kept-1.dist-info/METADATA": metadata("kept", "1"),
            "opt/a/node_modules/b/package.json": '{"name": "b", "version": "1"}',
            "opt/c/node_modules/d/package.json": '{"name": "d", "version": "1"}',
            "srv/node_modules/e/package.json": '{"name": "e", "version": "1"}',
        },
        {
            f"{SITE}/.wh.gone-1.dist-info": "",  # a whiteout of a folder
            "opt/a/.wh..wh..opq": "",  # an opaque folder, with something new in it
            "opt/a/node_modules/f/package.json": '{"name": "f", "version": "1"}',
            "opt/c/node_modules/d": LinkTo("elsewhere"),  # a folder that became a link
            "srv/.wh.node_modules": "",
        },
    )
    assert _brief(found) == {("pypi", "kept", "1", "layer0"), ("npm", "f", "1", "layer1")}


async def test_a_whiteout_hides_nothing_in_the_same_layer(inventory: Callable[..., Inventory]) -> None:
    found = await anyio.to_thread.run_sync(
        inventory,
        {f"{SITE}/x-1.dist-info/METADATA": metadata("x", "1")},
        {f"{SITE}/x-1.dist-info/METADATA": metadata("x", "2"), f"{SITE}/.wh.x-1.dist-info": ""},
    )
    assert _brief(found) == {("pypi", "x", "2", "layer1")}


async def test_a_package_belongs_to_the_layer_that_brought_this_version(inventory: Callable[..., Inventory]) -> None:
    found = await anyio.to_thread.run_sync(
        inventory,
        {STATUS: dpkg_status(old="1", bumped="1", removed="1")},
        {STATUS: dpkg_status(old="1", bumped="2", added="1")},
    )
    assert _brief(found) == {
        ("deb", "old", "1", "layer0"),
        ("deb", "bumped", "2", "layer1"),
        ("deb", "added", "1", "layer1"),
    }


async def test_a_hard_link_has_the_packages_of_its_other_name(inventory: Callable[..., Inventory]) -> None:
    cached = "root/.cache/archive/x-1.dist-info/METADATA"
    found = await anyio.to_thread.run_sync(
        inventory,
        {cached: metadata("x", "1"), f"{SITE}/x-1.dist-info/METADATA": LinkTo(cached, hard=True)},
        {"root/.wh..cache": ""},
    )
    assert _brief(found) == {("pypi", "x", "1", "layer0")}


async def test_rpm_is_said_to_be_unread(inventory: Callable[..., Inventory]) -> None:
    found = await anyio.to_thread.run_sync(inventory, {"var/lib/rpm/rpmdb.sqlite": b"\0"})
    assert found.unread == ("packages of rpm cannot be read",)


@pytest.mark.parametrize("content", [b"", b"not a tar", image_archive({"a": "b"})[:700]])
async def test_random_bytes_are_not_an_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(content)
    with pytest.raises(UnreadableArchive):
        await anyio.to_thread.run_sync(read, path)


@pytest.mark.parametrize("content", [b"\0\1\2PK", jar(Main=b"x")[:-5], b""])
async def test_a_broken_jar_hides_nothing_else(inventory: Callable[..., Inventory], content: bytes) -> None:
    layer = {"a.jar": content, f"{SITE}/x-1.dist-info/METADATA": metadata("x", "1")}
    found = await anyio.to_thread.run_sync(inventory, layer)
    assert _brief(found) == {("pypi", "x", "1", "layer0")}


def test_dpkg_knows_the_source_and_leaves_out_what_is_removed() -> None:
    text = (
        "Package: zlib1g\nStatus: install ok installed\nSource: zlib (1:1.2)\nVersion: 1:1.2+b1\nArchitecture: amd64\n"
        "Description: one\n two: three\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    assert list(dpkg(text)) == [Package("deb", "zlib1g", "1:1.2+b1", "zlib", "1:1.2", "amd64")]


def test_apk_knows_the_origin() -> None:
    assert [package.advised_as for package in apk("P:libssl3\nV:3.1-r0\no:openssl\n")] == [("openssl", "3.1-r0")]


@pytest.mark.engine
async def test_a_real_image_holds_what_its_own_dpkg_says(docker_api: APIClient, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    with path.open("wb") as file:
        file.writelines(docker_api.get_image("debian:bookworm-slim"))
    found = await anyio.to_thread.run_sync(read, path)
    command = ["docker", "run", "--rm", "--network=none", "debian:bookworm-slim", "dpkg-query", "-W"]
    asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    said = {tuple(line.split("\t")) for line in asked.splitlines()}
    ours = {(package.name, package.version) for package in found.packages if package.ecosystem == "deb"}
    assert {(name.partition(":")[0], version) for name, version in said} == ours
    assert len(ours) > 50
