"""What a folder depends on: which files are read, and what is told where one could not be."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from container_kit.stages.ecosystems.facets.dependencies import file_walk as walk
from container_kit.stages.scan.builtin import source_inventory
from container_kit.stages.scan.builtin.cyclonedx import of_inventory
from container_kit.stages.scan.builtin.image_inventory import Inventory
from container_kit.stages.scan.builtin.source_inventory import read

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parent / "lockfiles"
LOCK = '{"lockfileVersion": 3, "packages": {"node_modules/x": {"version": "1.0.0"}}}'
CARGO_LOCK = '[[package]]\nname = "x"\nversion = "1.0.0"\nsource = "registry"\n'


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., None]:
    def make(**files: str) -> None:
        for name, content in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


async def inventory(root: Path) -> Inventory:
    return await anyio.to_thread.run_sync(read, root)


def locations(found: Inventory) -> set[str]:
    return {f"{package.name} {package.where}" for package in found.packages}


async def test_every_folder_is_read_but_those_of_installed_packages(root: Path, write: Callable[..., None]) -> None:
    folders = ("", "deep/er/", "node_modules/y/", "app/vendor/z/", ".venv/", "odd/", "odd/lib/")
    write(
        **{f"{folder}requirements.txt": "first==1\nx==2\n" for folder in folders}, **{"odd/pyvenv.cfg": "home = /usr"}
    )
    found = await inventory(root)
    assert locations(found) == {
        "first requirements.txt:1",
        "x requirements.txt:2",
        "first deep/er/requirements.txt:1",
        "x deep/er/requirements.txt:2",
    }
    assert found.unread == ()


async def test_links_that_lead_out_are_not_followed(root: Path, tmp_path: Path, write: Callable[..., None]) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "requirements.txt").write_text("secret==1\n")
    write(**{"real/pins.txt": "inside==1\n"})
    (root / "folder").symlink_to(outside)
    (root / "requirements.txt").symlink_to(outside / "requirements.txt")
    (root / "requirements-dev.txt").symlink_to("real/pins.txt")
    found = await inventory(root)
    assert locations(found) == {"inside requirements-dev.txt:1"}
    assert found.unread == ("requirements.txt cannot be read: a symbolic link leads out of the source tree",)


async def test_unreadable_files_are_reported_and_the_others_read(root: Path, write: Callable[..., None]) -> None:
    write(
        **{
            "go.mod": "module x\ngo 1.22\nrequire good v1.0.0\n",
            "a/package-lock.json": '{"lockfileVersion": 3,\n "packages": ',
            "b/package-lock.json": '{"lockfileVersion": 3, "packages": {"node_modules/x": {"version": 1}}}',
            "c/poetry.lock": '[[package]]\nversion = "1"\n',
            "d/yarn.lock": "<<<<<<< HEAD\n",
            "e/bun.lockb": "binary",
            "g/requirements.txt": "".join(f"p{number}\n" for number in range(9)),
        }
    )
    (root / "f").mkdir()
    os.mkfifo(root / "f" / "Cargo.lock")
    found = await inventory(root)
    assert locations(found) == {"good go.mod:3"}
    assert set(found.unread) == {
        "a/package-lock.json:2 cannot be read: not JSON: Expecting value",
        "b/package-lock.json cannot be read: packages.node_modules/x.version: Input should be a valid string",
        "c/poetry.lock cannot be read: its structure is not valid",
        "d/yarn.lock:1 cannot be read: no lock file of Yarn",
        "e/bun.lockb is a lock file that the built-in matcher cannot read",
        "f/Cargo.lock cannot be read: not a regular file",
        *(f"g/requirements.txt:{number}: p{number - 1} has no exact version" for number in (1, 2, 3)),
        "g/requirements.txt: 6 more like these",
    }


@pytest.mark.parametrize(
    ("files", "unlocked"),
    [
        ({"package.json": '{"dependencies": {"x": "1"}}'}, "package.json"),
        ({"package.json": '{"dependencies": {}}'}, None),
        ({"package.json": '{"devDependencies": {"x": "1"}}', "package-lock.json": LOCK}, None),
        (
            {
                "package.json": '{"workspaces": ["a"]}',
                "package-lock.json": LOCK,
                "a/package.json": '{"dependencies": {"x": ""}}',
            },
            None,
        ),
        (
            {"package.json": "{}", "package-lock.json": LOCK, "a/package.json": '{"dependencies": {"x": ""}}'},
            "a/package.json",
        ),
        ({"pyproject.toml": '[project]\ndependencies = [\n  # web\n  "flask",\n]\n'}, "pyproject.toml"),
        ({"pyproject.toml": "[project]\ndependencies = []\n[tool.ruff]\n"}, None),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\nflask = "^3"\n'}, "pyproject.toml"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\n\n[tool.x]\n'}, None),
        ({"pyproject.toml": '[project]\ndependencies = ["flask"]\n', "requirements.txt": "flask==1\n"}, None),
        ({"Cargo.toml": '[dependencies]\nserde = "1"\n'}, "Cargo.toml"),
        ({"Cargo.toml": '[package]\nname = "x"\n\n[dependencies]\n'}, None),
        ({"Cargo.toml": "[workspace]\n", "Cargo.lock": CARGO_LOCK, "a/Cargo.toml": '[dependencies]\nx = "1"\n'}, None),
        ({"Gemfile": 'source "https://rubygems.org"\ngem "rack"\n'}, "Gemfile"),
        ({"composer.json": '{"require": {"php": ">=8", "psr/log": "^3"}}'}, "composer.json"),
        ({"composer.json": '{"require": {"php": ">=8"}}'}, None),
        ({"build.gradle": "dependencies {\n  implementation 'a:b:1'\n}\n"}, "build.gradle"),
        ({"build.gradle.kts": 'dependencies {\n  testImplementation("a:b:1")\n}\n'}, "build.gradle.kts"),
        ({"src/App.csproj": '<Project><PackageReference Include="x" Version="1" /></Project>'}, "src/App.csproj"),
        ({"mix.exs": 'defp deps do\n  [{:phoenix, "~> 1.7"}]\nend\n'}, "mix.exs"),
    ],
)
async def test_a_manifest_that_nothing_pins_is_reported(
    root: Path, write: Callable[..., None], files: dict[str, str], unlocked: str | None
) -> None:
    write(**files)
    found = await inventory(root)
    assert bool(found.unread) is bool(unlocked)
    assert all(line.startswith(f"{unlocked} has no lock file, so ") for line in found.unread)


async def test_exact_versions_count_only_without_a_lock_file(root: Path, write: Callable[..., None]) -> None:
    script = "dependencies {\n  implementation 'a:b:1.0'\n}\n"
    write(**{"x/build.gradle": script, "y/build.gradle": script, "y/gradle.lockfile": "a:b:1.1=runtimeClasspath\n"})
    found = await inventory(root)
    assert locations(found) == {"a:b x/build.gradle:2", "a:b y/gradle.lockfile:1"}
    assert found.unread == ("x/build.gradle has no lock file, so only its exact versions are known",)


@pytest.mark.parametrize(
    ("bound", "most", "told"),
    [
        ("MOST_NAMES", 3, "more than 3 files: the rest of the folder was not looked at"),
        ("MOST_READ", 2, "more than 2 lock files and manifests: the rest was not looked at"),
        ("MOST_PACKAGES", 1, "more than 1 packages: what comes after a/b/requirements.txt was not looked at"),
        ("MOST_DEPTH", 1, "more than 1 folders inside each other: the rest of a was not looked at"),
        ("MOST_BYTES", 5, "a/requirements.txt is larger than 0 MiB"),
        ("MOST_TOGETHER", 5, "more than 0 MiB of lock files and manifests: the rest was not read"),
    ],
)
async def test_exceeded_limits_are_reported(
    root: Path, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch, bound: str, most: int, told: str
) -> None:
    write(**{f"{folder}/requirements.txt": "long-name==1\n" for folder in ("a", "b", "c", "a/b")})
    monkeypatch.setattr(source_inventory if hasattr(source_inventory, bound) else walk, bound, most)
    assert told in (await inventory(root)).unread


async def test_names_that_are_not_text_are_reported(root: Path) -> None:
    os.mkdir(os.fsencode(root) + b"/\xff")  # noqa: PTH102 - a Path has no such name
    names = ("\\ud800", "", "@scope/")
    packages = ", ".join(f'"node_modules/{name}": {{"version": "1"}}' for name in names)
    (root / "package-lock.json").write_text(f'{{"lockfileVersion": 3, "packages": {{{packages}}}}}')
    found = await inventory(root)
    assert found.packages == ()
    assert set(found.unread) == {
        "'\\udcff' is passed over: its name is not UTF-8",
        "package-lock.json:1: a package without a valid name or version",
    }


BITS = ['"', "{", "}", "[", "]", ":", ",", "\n", " ", "@", "/", "\\ud800", "0", "null", "=", "#", "(", ")", "é", "\0"]


@pytest.mark.parametrize("kind", sorted(path.name for path in SAMPLES.iterdir()))
async def test_a_damaged_file_is_read_or_reported_and_never_a_crash(root: Path, kind: str) -> None:
    (lock,) = (SAMPLES / kind).iterdir()
    damage = random.Random(kind)
    for number in range(40):
        text = lock.read_text()
        for _ in range(damage.randint(1, 4)):
            at = damage.randrange(len(text) + 1)
            end = at + damage.choice([0, 1, 3, 20, 200])
            text = text[:at] + damage.choice(["", *BITS]) + text[end:]
        (root / f"{number}").mkdir()
        (root / f"{number}" / lock.name).write_text(text)
    found = await inventory(root)
    assert json.loads(of_inventory("shop", "", found).document)["bomFormat"] == "CycloneDX"


async def test_reading_can_be_cancelled(root: Path, write: Callable[..., None]) -> None:
    write(**{"requirements.txt": "x==1\n"})
    ended: list[Inventory] = []
    with anyio.CancelScope() as scope:

        def read_cancelled() -> None:
            anyio.from_thread.run_sync(scope.cancel)
            ended.append(read(root))

        await anyio.to_thread.run_sync(read_cancelled)
    assert scope.cancelled_caught
    assert ended == []
