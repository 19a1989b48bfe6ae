"""Our build against `docker build` with BuildKit, on the same contexts, in one run.

    python benchmarks/build.py [--quick] [--buildx FILE] [--json]

Each context is built cold, warm and with one file changed, by turns, each side first as often as the other, and with
nothing left to be written to the disk from before. A ratio is our time through theirs.
Ours is the whole stage in a process that runs already, as a server's does; theirs is the command. Needs an engine, the
image debian:bookworm-slim, and a docker command line that speaks BuildKit (20.10 to 22, or one with buildx).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import anyio

from container_kit.stages.artifacts.image import BuildOptions
from container_kit.stages.artifacts.source import Source
from container_kit.stages.build import BuildImage
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.contract.workspace import Workspace

DOCKER_BUILD = "docker build"
OURS, THEIRS = "ck-build-bench-ours", "ck-build-bench-theirs"
BUILT: set[str] = set()
"""The ids of all images that were made."""
DOCKERFILE = "FROM debian:bookworm-slim\nWORKDIR /app\nCOPY . .\nRUN ls | wc -l\n"
IGNORE = "node_modules\n**/*.log\n.git\n!docs/keep.log\n"
SMALL_FILES = 20
WARM_BUILDS = 3
IGNORED_SHARE = 0.7


@dataclass(frozen=True)
class Figure:
    """One line of the result."""

    figure: str
    value: float
    unit: str
    bar: float
    holds: bool


def at_most(figure: str, value: float, unit: str, bar: float) -> Figure:
    """Create a figure that must not exceed its bar."""
    return Figure(figure, round(value, 3), unit, bar, value <= bar)


def context(run: str, root: Path) -> StageContext:
    """Create a stage context without listeners."""
    return StageContext(
        run_id=run,
        pipeline="benchmark",
        stage="build",
        attempt=1,
        dry_run=False,
        workspace=Workspace([root]),
        redact=Redactor(),
        on_progress=lambda *_: None,
        on_output=lambda _: None,
    )


Builder = Callable[[Path], Awaitable[float]]
"""Builds a folder; the seconds that it took."""


@dataclass(frozen=True)
class Program:
    """A command line that builds the folder behind it, and what it needs in its environment."""

    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it with more words."""
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", **self.environment}
        return subprocess.run([*self.words, *words], env=environment, capture_output=True, text=True, check=False)


async def ours(stage: BuildImage, root: Path) -> float:
    """Seconds of our stage."""
    began = time.monotonic()
    await stage.execute(context("bench", root), Source(path=str(root)), BuildOptions(tag=OURS))
    return time.monotonic() - began


async def theirs(program: Program, root: Path) -> float:
    """Seconds of another builder."""
    began = time.monotonic()
    (await asyncio.to_thread(program.run, "-t", THEIRS, str(root))).check_returncode()
    return time.monotonic() - began


def make_tree(root: Path, files: int, megabytes: float) -> None:
    """Create a source folder with some files to build and most of them ignored, as in real projects."""
    root.mkdir(parents=True)
    (root / "Dockerfile").write_text(DOCKERFILE)
    (root / ".dockerignore").write_text(IGNORE)
    size, last = int(megabytes * 1e6 / files), root
    for number in range(files):
        top = "node_modules" if number < files * IGNORED_SHARE else "src"
        folder = root / top / f"{number // 1000}" / f"{number // 50 % 20}"
        if folder != last:
            folder.mkdir(parents=True, exist_ok=True)
            last = folder
        (folder / f"{number}.js").write_bytes(f"// {number}\n".encode() + os.urandom(64) + bytes(size))


def change(root: Path) -> None:
    """Change one file."""
    (root / "changed.txt").write_text(str(uuid.uuid4()))


@contextmanager
def trees(files: int, megabytes: float, names: Iterable[str]) -> Iterator[dict[str, Path]]:
    """Create the same tree for each name, so that no builder uses the engine's cache of another builder."""
    folder = Path(tempfile.mkdtemp(prefix="ck-build-bench-"))
    made = {name: folder / name.replace(" ", "-") for name in names}
    try:
        first, *others = made.values()
        make_tree(first, files, megabytes)
        for other in others:
            shutil.copytree(first, other, copy_function=shutil.copyfile)
        for root in made.values():
            change(root)
        yield made
    finally:
        shutil.rmtree(folder)


async def compare(
    name: str, stage: BuildImage, rivals: dict[str, Program], size: tuple[int, float], rounds: int
) -> list[Figure]:
    """Measure three ratios of one context to each rival, each a quotient of medians."""
    builders: dict[str, Builder] = {
        "ours": lambda root: ours(stage, root),
        **{rival: partial(theirs, program) for rival, program in rivals.items()},
    }
    times: dict[str, list[dict[str, float]]] = {"cold": [], "warm": [], "changed": []}
    with trees(*size, builders) as roots:
        for number in range(rounds):
            if number:  # another path is a context that the engine has never seen
                roots = {one: root.rename(f"{root}-{number}") for one, root in roots.items()}
            for kind in ("cold", *["warm"] * WARM_BUILDS, "changed"):
                if kind != "warm":
                    for root in roots.values():
                        change(root)
                times[kind].append(await _turns(builders, roots, first=len(times[kind])))
    figures = []
    for kind, turns in times.items():
        middle = {one: statistics.median(turn[one] for turn in turns) for one in builders}
        told = ", ".join(f"{one} {seconds:.3f} s" for one, seconds in middle.items())
        print(f"{name} {kind}: {told}", file=sys.stderr, flush=True)
        for rival in rivals:
            figure = f"build.{name}.{kind}.ratio" + ("" if rival == DOCKER_BUILD else f".{rival}")
            figures.append(at_most(figure, middle["ours"] / middle[rival], f"x {rival}", 1.0))
    return figures


async def _turns(builders: dict[str, Builder], roots: dict[str, Path], first: int) -> dict[str, float]:
    """Seconds of each builder. The layers of one must not be on their way to the disk during the next."""
    order = list(builders)
    order = order[first % len(order) :] + order[: first % len(order)]
    seconds = {}
    for one in order:
        os.sync()
        seconds[one] = await builders[one](roots[one])
        for name in (OURS, THEIRS):
            BUILT.update(Program(("docker",)).run("images", "-q", "--no-trunc", name).stdout.split())
    return seconds


async def memory(stage: BuildImage, size: tuple[int, float]) -> Figure:
    """Measure the growth of resident memory during the transfer of a cold context."""
    with trees(*size, ["ours"]) as roots:
        before = _kilobytes("VmRSS")
        _forget_peak()
        await ours(stage, roots["ours"])
        return at_most("build.memory_over_idle", (_kilobytes("VmHWM") - before) / 1024, "MB", 150)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


async def cancel(stage: BuildImage) -> Figure:
    """From the cancel of a running `RUN sleep` until its process is gone."""
    folder = Path(tempfile.mkdtemp(prefix="ck-build-bench-"))
    seconds = 4000 + int.from_bytes(os.urandom(2), "big")
    (folder / "Dockerfile").write_text(f"FROM debian:bookworm-slim\nRUN sleep {seconds}\n")
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(ours, stage, folder)
            while not _runs(seconds):  # noqa: ASYNC110 (another process is watched)
                await anyio.sleep(0.02)
            began = time.monotonic()
            group.cancel_scope.cancel()
        while _runs(seconds):  # noqa: ASYNC110 (as above)
            await anyio.sleep(0.005)
        return at_most("build.cancel", time.monotonic() - began, "s", 0.5)
    finally:
        shutil.rmtree(folder)


def _runs(seconds: int) -> bool:
    return Program(("pgrep",)).run("-f", f"^sleep {seconds}$").returncode == 0


def buildkit_command() -> str:
    """Find a docker command line that builds with BuildKit."""
    for folder in ("/usr/bin", *os.environ["PATH"].split(":")):
        command = f"{folder}/docker"
        if not os.access(command, os.X_OK):
            continue
        said = Program((command,)).run("--version").stdout
        buildx = Program((command,)).run("buildx", "version").returncode == 0
        if buildx or 19 <= int(said.split()[2].split(".")[0]) <= 22:
            return command
    raise SystemExit("no docker command line with BuildKit was found (Debian's docker.io has one)")


@contextmanager
def rivals(command: str, plugin: Path | None) -> Iterator[dict[str, Program]]:
    """`docker build`, and buildx where its plugin was named."""
    found = {DOCKER_BUILD: Program((command, "build", "-q"))}
    with tempfile.TemporaryDirectory(prefix="ck-build-bench-") as home:
        if plugin is not None:
            place = Path(home) / "cli-plugins" / "docker-buildx"
            place.parent.mkdir()
            place.symlink_to(plugin.resolve())
            words = (command, "buildx", "build", "-q", "--load", "--provenance=false")
            found["buildx"] = Program(words, {"DOCKER_CONFIG": home})
        yield found


async def run(quick: bool, plugin: Path | None) -> list[Figure]:
    """Measure all figures."""
    stage, command = BuildImage(), buildkit_command()
    with trees(SMALL_FILES, 0.1, ["ours"]) as roots:
        await ours(stage, roots["ours"])  # as in a server, the libraries are loaded
    big = (5_000, 45.0) if quick else (100_000, 900.0)
    figures = [await memory(stage, big)]
    with rivals(command, plugin) as them:
        figures += await compare("small", stage, them, (SMALL_FILES, 0.1), 6)
        figures += await compare("large", stage, them, big, 2 if quick else 4)
    figures.append(await cancel(stage))
    for image in (OURS, THEIRS, *BUILT):  # a repeated build moves the tag of the previous one
        Program((command,)).run("rmi", "-f", image)
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a large context of 5,000 files, not 100,000")
    parser.add_argument("--buildx", type=Path, metavar="FILE", help="docker's buildx plugin, to be measured as well")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    result = anyio.run(run, arguments.quick, arguments.buildx)
    if arguments.json:
        print(json.dumps([asdict(figure) for figure in result], indent=2))
    else:
        for figure in result:
            sign = "holds" if figure.holds else "MISSED"
            print(f"{figure.figure:32} {figure.value:8.3f} {figure.unit:16} <= {figure.bar:<6} {sign}")
    raise SystemExit(0 if all(figure.holds for figure in result) else 1)
