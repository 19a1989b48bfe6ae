"""Real inputs: fetched from package registries by their own clients into a cache, with the labels of `inputs.toml`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import tarfile
import tomllib
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(os.environ.get("CONTAINER_KIT_TEST_INPUTS") or Path.home() / ".cache" / "container-kit" / "test-inputs")
DIGESTS: dict[str, str] = tomllib.loads((Path(__file__).parent / "inputs.lock.toml").read_text())
FIELDS = ("language", "package_manager", "framework", "port", "start")


@dataclass(frozen=True)
class Input:
    """One folder with its labels by module; a field that is not judged is left out."""

    source: str
    folder: Path
    modules: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)


def fetched_inputs() -> list[Input]:
    """Fetch what is missing, each registry beside the others, and read the labels."""
    sources = tomllib.loads((Path(__file__).parent / "inputs.toml").read_text())["source"]
    by_registry = {name: [s["package"] for s in sources if s["registry"] == name] for name in ("npm", "debian", "pypi")}
    fetchers = {"npm": _npm, "debian": _debian, "pypi": _pypi}
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock, ThreadPoolExecutor(3) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes share the cache
        for done in [pool.submit(fetch, by_registry[name]) for name, fetch in fetchers.items()]:
            done.result()
    return [one for source in sources for one in _inputs(source)]


def _home(registry: str, package: str) -> Path:
    return CACHE / registry / re.sub(r"[/@]", "_", package)


def _npm(packages: list[str]) -> None:
    missing = [package for package in packages if not _home("npm", package).exists()]
    if not missing:
        return
    parcels = CACHE / "npm-parcels"
    parcels.mkdir(parents=True, exist_ok=True)

    def pack(package: str) -> None:
        done = subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", parcels, package],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=parcels,
        )
        _unpack(parcels / done.stdout.split()[-1], _home("npm", package))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pack, missing))


def _pypi(packages: list[str]) -> None:
    """Source distributions; pip wants the build tools of each, so they are put into an environment of their own."""
    missing = [package for package in packages if not _home("pypi", package).exists()]
    if not missing:
        return
    tools = CACHE / "pypi-tools"
    if not (tools / "ready").exists():
        venv.create(tools, with_pip=True, clear=True)
        build = [
            "setuptools<80",
            "wheel",
            "hatchling",
            "poetry-core",
            "flit-core",
            "pdm-backend",
            "setuptools-scm",
            "hatch-vcs",
            "babel",
        ]
        subprocess.run([tools / "bin" / "pip", "install", "-q", *build], check=True, capture_output=True, timeout=150)
        (tools / "ready").touch()

    def download(package: str) -> None:
        parcels = CACHE / "pypi-parcels" / re.sub(r"\W", "_", package)
        pip = [
            tools / "bin" / "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "-d",
            parcels,
            package,
        ]
        done = subprocess.run(pip, check=False, capture_output=True, timeout=150, text=True)
        assert done.returncode == 0, f"{package}: {done.stderr[-2000:]}"
        _unpack(next(parcels.iterdir()), _home("pypi", package))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(download, missing))


def _debian(packages: list[str]) -> None:
    missing = [package for package in packages if not _home("debian", package).exists()]
    if not missing:
        return
    parcels = CACHE / "debian-parcels"
    (parcels / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (parcels / "sources.list").write_text(_source_lines())
    options = {
        "Dir::Etc::sourcelist": parcels / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": parcels / "lists",
        "Dir::Cache": parcels,
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-q", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
    for command in (["update"], ["source", "--download-only", "--tar-only", *missing]):
        subprocess.run([*apt, *command], check=True, capture_output=True, cwd=parcels, timeout=150)
    for package in missing:
        _unpack(next(parcels.glob(f"{package}_*.orig.tar.[gx]z")), _home("debian", package))


def _source_lines() -> str:
    """The machine's own Debian sources, as `deb-src`."""
    texts = [path.read_text() for path in Path("/etc/apt").rglob("*") if path.suffix in {".list", ".sources"}]
    for text in texts:
        if found := re.search(r"URIs:\s*(\S+)\s+Suites:\s*(\S+)[^\n]*\s+Components:\s*main", text):
            return f"deb-src {found[1]} {found[2]} main\n"
        if found := re.search(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+main", text, re.MULTILINE):
            return f"deb-src {found[1]} {found[2]} main\n"
    raise LookupError("the machine names no Debian source")


def _unpack(parcel: Path, home: Path) -> None:
    """Unpack a tarball, once its digest is the known one, without its outer folder; complete or not at all."""
    digest = hashlib.sha256(parcel.read_bytes()).hexdigest()
    assert digest == DIGESTS[f"{home.parent.name}/{home.name}"], (
        f"{parcel.name} is not what was labelled: sha256 {digest}"
    )
    half = home.with_name(f"{home.name}.part{os.getpid()}")
    with tarfile.open(parcel) as archive:
        members = [m for m in archive.getmembers() if "/" in m.name and (m.isfile() or m.isdir())]
        for member in members:
            member.name = member.name.partition("/")[2]
        archive.extractall(half, members=members, filter="data")
    parcel.unlink()
    home.parent.mkdir(parents=True, exist_ok=True)
    half.rename(home)


def _inputs(source: dict[str, str]) -> Iterator[Input]:
    home = _home(source["registry"], source["package"]) / source.get("root", "")
    rows = [[cell.strip() for cell in row.split(" | ")] for row in source["table"].strip().splitlines()]
    for path in dict.fromkeys(row[0] for row in rows):
        modules = {row[1]: _labels(row[2:]) for row in rows if row[0] == path}
        yield Input(f"{source['package']} {path}", home / path, modules)


def _labels(cells: list[str]) -> dict[str, tuple[str, ...]]:
    """Right answers by field; an empty answer stands for none."""
    read = {name: tuple(answer.strip() for answer in cell.split(";")) for name, cell in zip(FIELDS, cells, strict=True)}
    return {name: ("",) if answers == ("-",) else answers for name, answers in read.items() if answers != ("?",)}
