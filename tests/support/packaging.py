"""Building and installing the package with uv."""

from __future__ import annotations

import subprocess
from pathlib import Path

import uv


def run_uv(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run uv and return its output."""
    result = subprocess.run(
        [uv.find_uv_bin(), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def uv_cache() -> str:
    """Return the folder of uv's cache on this machine."""
    return run_uv("cache", "dir").strip()


def folder_size(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
