"""The distribution: metadata, lock file, and the wheel in a fresh environment."""

from __future__ import annotations

import email
import email.message
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import container_kit
from support.mcp.servers import environment
from support.packaging import folder_size, run_uv

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
WHEEL_LIMIT = 1200 * 1024
ENVIRONMENT_LIMIT = 120_000_000
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def normalize(requirement: str) -> str:
    """Return a requirement's name in normalized form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


def test_the_version_of_the_package_is_that_of_the_distribution() -> None:
    assert container_kit.__version__ == PROJECT["version"]
    with pytest.raises(AttributeError, match="__author__"):
        container_kit.__author__  # type: ignore[attr-defined] # noqa: B018 - a name that does not exist


def test_importing_the_package_does_not_read_the_metadata_of_the_distribution() -> None:
    program = "import sys, importlib.metadata as m; m.version = None; import container_kit"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)


def locked(name: str) -> dict[str, Any]:
    return next(package for package in LOCK["package"] if package["name"] == name)


def test_the_lock_file_locks_the_declared_dependencies() -> None:
    metadata = locked("container-kit")["metadata"]
    extras = PROJECT["optional-dependencies"]
    assert {item["name"] for item in metadata["requires-dist"] if "marker" not in item} == {
        normalize(requirement) for requirement in PROJECT["dependencies"]
    }
    assert {item["name"] for item in metadata["requires-dist"] if "marker" in item} == {
        normalize(requirement) for requirements in extras.values() for requirement in requirements
    }
    specifiers = {item["name"]: item.get("specifier") for item in metadata["requires-dist"] if "marker" not in item}
    for requirement in PROJECT["dependencies"]:
        bounds = re.sub(r"^[\w.-]+(\[[^]]*\])?", "", requirement)
        assert set(filter(None, (specifiers[normalize(requirement)] or "").split(","))) == set(bounds.split(","))
    assert LOCK["requires-python"] == PROJECT["requires-python"]


def test_each_locked_file_has_a_hash_and_an_address_at_pypi() -> None:
    packages = [package for package in LOCK["package"] if package["name"] != "container-kit"]
    files = [file for package in packages for file in (*package.get("wheels", []), package.get("sdist")) if file]
    assert {package["source"].get("registry") for package in packages} == {"https://pypi.org/simple"}
    assert {urlsplit(file["url"]).netloc for file in files} == {"files.pythonhosted.org"}
    assert [file["url"] for file in files if not file["hash"].startswith("sha256:")] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run_uv("build", "--wheel", "--out-dir", folder, "--python", sys.executable, ROOT)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with only the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    run_uv("venv", "--python", sys.executable, folder)
    run_uv("pip", "install", "--link-mode", "copy", "--python", folder, wheel)
    return folder


def metadata_of(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.mark.integration
def test_the_wheel_is_small_and_contains_only_the_package(wheel: Path) -> None:
    assert wheel.stat().st_size <= WHEEL_LIMIT
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "container_kit",
        f"container_kit-{PROJECT['version']}.dist-info",
    }
    assert "container_kit/py.typed" in names
    assert [name for name in names if "__pycache__" in name] == []


@pytest.mark.integration
def test_the_metadata_of_the_wheel_state_license_authors_and_addresses(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    assert (metadata["Name"], metadata["Version"]) == ("container-kit", PROJECT["version"])
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Author"] == "Container Kit contributors"
    assert metadata["Requires-Python"] == ">=3.11"
    assert {line.split(",")[0] for line in metadata.get_all("Project-URL", [])} == PROJECT["urls"].keys()
    assert [line for line in metadata.get_all("Classifier", []) if line.startswith("License")] == []  # PEP 639
    assert set(metadata.get_all("Provides-Extra", [])) == {"kubernetes", "otlp"}
    optional = {normalize(line) for line in metadata.get_all("Requires-Dist", []) if "extra ==" in line}
    assert {"lightkube", "opentelemetry-exporter-otlp-proto-http"} <= optional


@pytest.mark.integration
def test_a_fresh_environment_is_small_and_its_command_prints_the_version(installed: Path) -> None:
    assert folder_size(installed) <= ENVIRONMENT_LIMIT
    printed = subprocess.run(
        [installed / "bin" / "container-kit", "--version"], capture_output=True, text=True, timeout=50, check=True
    )
    assert printed.stdout == f"container-kit {PROJECT['version']}\n"


@pytest.mark.integration
def test_the_server_of_a_fresh_environment_answers_initialize(installed: Path, tmp_path: Path) -> None:
    served = subprocess.run(
        [installed / "bin" / "container-kit", "serve"],
        cwd=tmp_path,
        env=environment(tmp_path),
        input=json.dumps(INITIALIZE) + "\n",
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    server = json.loads(served.stdout)["result"]["serverInfo"]
    assert (server["name"], server["version"]) == ("container-kit", PROJECT["version"])
