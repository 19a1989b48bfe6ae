"""The sizes of what people install: the wheel, a fresh environment of the wheel, and the bundle with its environment.

Bytes of files, with dependencies and without the interpreter. The largest packages of the environment are listed.

    python benchmarks/sizes.py [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import uv

ROOT = Path(__file__).parent.parent
LIMITS = {"wheel": 900_000, "environment": 120_000_000, "bundle_after_first_start": 130_000_000}
LARGEST = 10


def main() -> int:
    """Measure and print the sizes. Return 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes, packages = _measure(Path(folder))
    exceeded = [name for name, limit in LIMITS.items() if sizes[name] > limit]
    if options.json:
        print(json.dumps({"bytes": sizes, "limits": LIMITS, "exceeded": exceeded, "largest_packages": packages}))
    else:
        for name, size in sizes.items():
            limit = f" (limit {LIMITS[name]:,})" if name in LIMITS else ""
            print(f"{name:26} {size:>12,}{limit}")
        for name, size in packages.items():
            print(f"  {name:24} {size:>12,}")
    return 1 if exceeded else 0


def _measure(folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    _uv("build", "--wheel", "--out-dir", folder / "dist", "--python", sys.executable, ROOT)
    [wheel] = (folder / "dist").glob("*.whl")
    fresh = folder / "fresh"
    _uv("venv", "--python", sys.executable, fresh)
    _uv("pip", "install", "--link-mode", "copy", "--python", fresh, wheel)
    bundle, unpacked = folder / "container-kit.mcpb", folder / "bundle"
    _run(sys.executable, ROOT / "scripts" / "make_mcpb.py", bundle)
    _run(sys.executable, "-m", "zipfile", "-e", bundle, unpacked)
    _uv("sync", "--frozen", "--no-dev", "--link-mode", "copy", "--python", sys.executable, "--directory", unpacked)
    [site] = fresh.glob("lib/python*/site-packages")
    packages = {path.name: _size(path) for path in site.iterdir() if path.is_dir()}
    largest = sorted(packages, key=lambda name: -packages[name])[:LARGEST]
    sizes = {
        "wheel": wheel.stat().st_size,
        "environment": _size(fresh),
        "bundle": bundle.stat().st_size,
        "bundle_after_first_start": _size(unpacked),
    }
    return sizes, {name: packages[name] for name in largest}


def _uv(*arguments: str | Path) -> None:
    _run(uv.find_uv_bin(), *arguments)


def _run(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True, timeout=300, stdout=sys.stderr)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    raise SystemExit(main())
