"""How fast a tree is analyzed, warm and in process, against `git ls-files` over the same tree in the same run.

    python benchmarks/analyze.py [--json]

It makes its own trees in a temporary folder: one application of 1,400 files, twelve repositories with 13,000 files, a
monorepo of 66,000 files with 5,000 manifests, and 79,000 files of C.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from container_kit.stages.analyze import analyze

RUNS = 5
SOURCE = (
    "import { value } from './value'\n\n"
    "export function work(input: string): string {\n  return `${value} ${input}`\n}\n"
) * 8
EXPRESS = (
    "const app = require('express')()\n"
    "app.get('/health', (q, r) => r.send('ok'))\n"
    "app.listen(process.env.PORT || 3000)\n"
)


def fill(folder: Path, files: int, suffix: str = ".ts", content: str = SOURCE, wide: int = 14) -> None:
    """Put files into folders of `wide` files each."""
    for number in range(files):
        place = folder / f"part{number // (wide * 8)}" / f"group{number // wide % 8}"
        if number % wide == 0:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"file{number}{suffix}").write_text(content)


def package(name: str, *, server: bool) -> str:
    """A `package.json`."""
    data = {
        "name": name,
        "private": True,
        "scripts": {"build": "tsc", "test": "jest"},
        "dependencies": {f"lib{n}": "^1.0.0" for n in range(12)},
    }
    if server:
        data |= {"scripts": {"start": "node server.js"}, "dependencies": {"express": "^4.18.0", "pg": "^8"}}
    return json.dumps(data, indent=2)


def one_application(folder: Path) -> None:
    """1,400 files."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(package("app", server=True))
    (folder / "server.js").write_text(EXPRESS)
    (folder / ".gitignore").write_text("node_modules\n*.log\ndist/\n")
    fill(folder / "src", 1396)


def twelve_repositories(folder: Path) -> None:
    """13,000 files."""
    for number in range(12):
        one_application(folder / f"repository{number}")
    for path in folder.glob("repository*/src/part1*"):
        for file in list(path.rglob("*.ts"))[::3]:
            file.unlink()


def monorepo(folder: Path) -> None:
    """66,000 files with 5,000 manifests."""
    folder.mkdir(parents=True)
    root = {"name": "mono", "private": True, "workspaces": ["apps/*", "packages/*/*"]}
    (folder / "package.json").write_text(json.dumps(root))
    (folder / "package-lock.json").write_text("{}")
    for number in range(5000):
        server = number < 100
        home = (
            folder / "apps" / f"app{number}"
            if server
            else folder / "packages" / f"group{number // 50}" / f"package{number}"
        )
        (home / "src").mkdir(parents=True)
        (home / "package.json").write_text(package(f"@mono/p{number}", server=server))
        (home / "server.js").write_text(EXPRESS)
        for inner in range(11):
            (home / "src" / f"file{inner}.ts").write_text(SOURCE[:300])


def kernel(folder: Path) -> None:
    """79,000 files of C with a Makefile in each folder."""
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text("TARGET = kernel\nall:\n\tcc -o kernel main.c\n")
    (folder / ".gitignore").write_text(
        "".join(f"*.{end}\n" for end in ["o", "a", "so", "ko", "mod", "cmd", "dtb", "lz4", "xz", "zst", "bin", "elf"])
        + "/vmlinux\n!/include/**\n"
    )
    (folder / "main.c").write_text("int main(void) { return 0; }\n")
    fill(folder / "drivers", 75_000, ".c", "int f(void) { return 1; }\n", wide=15)
    for number, place in enumerate((folder / "drivers").rglob("group*")):
        (place / "Makefile").write_text("obj-y += file.o\n")
        if number >= 4000:
            break


TREES: tuple[tuple[str, Callable[[Path], None], float], ...] = (
    ("1.4k files, one application", one_application, 50),
    ("13k files, 12 repositories", twelve_repositories, 250),
    ("66k files, 5,000 manifests", monorepo, 1000),
    ("79k files", kernel, 400),
)


def milliseconds(work: Callable[[], object]) -> float:
    """The median time of some runs after one that warms up."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def measure(name: str, folder: Path, bar: float) -> list[dict[str, object]]:
    """The figures of one tree."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    os.sync()  # so that the new tree is not on its way to the disk while it is read
    listing = ["git", "-C", str(folder), "ls-files", "-c", "-o", "--exclude-standard"]
    listed = milliseconds(lambda: subprocess.run(listing, check=True, capture_output=True))
    ours = milliseconds(lambda: analyze(folder))
    size = len(analyze(folder).model_dump_json())
    return [
        {"figure": f"analyze {name}", "value": round(ours, 1), "unit": "ms", "bar": bar, "holds": ours <= bar},
        {
            "figure": f"analyze {name} / git ls-files",
            "value": round(ours / listed, 2),
            "unit": "ratio",
            "bar": None,
            "holds": True,
        },
        {"figure": f"result of {name}", "value": size, "unit": "bytes", "bar": 24_576, "holds": size <= 24_576},
    ]


def main() -> None:
    """Measure all trees and print the figures."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="ck-analyze-") as folder:
        for name, make, bar in TREES:
            place = Path(folder) / name.replace(" ", "-").replace(",", "")
            make(place)
            figures += measure(name, place, bar)
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    for figure in figures:
        bar = f"(bar {figure['bar']})" if figure["bar"] else ""
        verdict = "" if figure["holds"] else "MISSED"
        print(f"{figure['figure']:48} {figure['value']:>10} {figure['unit']:6} {bar} {verdict}")


if __name__ == "__main__":
    main()
