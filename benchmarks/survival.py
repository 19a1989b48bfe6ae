"""How soon runs feel what happens to them: a cancel from another process, and the death of the process that had them.

A server asks, two workers in processes of their own carry out; each figure is the median over several runs.

    python benchmarks/survival.py [--json] [--postgres URL] [--runs 7]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import anyio

from container_kit import Artifact, AtomicPipeline, Event, Stage, StageContext, Workspace
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.pipelines.plan import Plan


class Place(Artifact):
    """Where a stage leaves its traces."""

    folder: str


class Hold(Stage[None]):
    """A stage that goes on until it is stopped."""

    async def execute(self, ctx: StageContext, place: Place) -> None:
        """Say which process carries it out, and stay."""
        await anyio.Path(place.folder, f"{ctx.run_id}-{os.getpid()}").touch()
        await anyio.sleep_forever()


def find(_name: str) -> Plan:
    """The only pipeline there is."""
    return AtomicPipeline("hold", inputs=Place).add_stage(Hold()).plan()


def work(url: str, home: str) -> None:
    """Be a worker until killed."""

    async def main() -> None:
        async with DurableRuns(url, Path(home), role="worker", find=find, adoptions=1000).opened():
            await anyio.sleep_forever()

    anyio.run(main)


async def carriers(folder: Path, run_id: str, count: int) -> list[int]:
    """The processes that have begun the stage, once there are so many."""
    found: list[anyio.Path] = []
    with anyio.fail_after(60):
        while len(found) < count:
            await anyio.sleep(0.002)
            found = [path async for path in anyio.Path(folder).glob(f"{run_id}-*")]
    return [int(path.name.rpartition("-")[2]) for path in found]


async def cancelled_after(runs: DurableRuns, folder: Path) -> float:
    """Seconds from asking a run in another process to stop until its stage has."""
    run_id = await runs.start(find("hold").request(Place(folder=str(folder))), Workspace([folder]))
    await carriers(folder, run_id, 1)
    asked = time.time()
    await runs.cancel(run_id)
    stopped: list[Event] = [event async for _, event in runs.events(run_id) if event.kind == "stage_failed"]
    return stopped[0].time - asked


async def adopted_after(runs: DurableRuns, folder: Path, replace: Callable[[], BaseProcess]) -> float:
    """Seconds from a worker's death until another one carries its run on."""
    run_id = await runs.start(find("hold").request(Place(folder=str(folder))), Workspace([folder]))
    [victim] = await carriers(folder, run_id, 1)
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    await carriers(folder, run_id, 2)
    seconds = time.monotonic() - killed
    replace()
    await runs.cancel(run_id)
    await runs.wait(run_id)
    return seconds


async def measure(url: str, home: Path, count: int) -> list[dict[str, object]]:
    """Both figures on one store."""
    spawning = multiprocessing.get_context("spawn")
    workers: list[BaseProcess] = []

    def worker() -> BaseProcess:
        process = spawning.Process(target=work, args=(url, str(home)), daemon=True)
        process.start()
        workers.append(process)
        return process

    worker(), worker()
    try:
        async with DurableRuns(url, home, role="server", find=find).opened() as runs:
            cancels = [await cancelled_after(runs, home) for _ in range(count)]
            adoptions = [await adopted_after(runs, home, worker) for _ in range(count)]
    finally:
        for process in workers:
            process.kill()
    store = "SQLite" if url.startswith("sqlite") else "Postgres"
    return [
        figure(f"{store}: a cancel reaches a stage in another process", cancels, 1.0),
        figure(f"{store}: a killed worker's run goes on elsewhere", adoptions, 5.0),
    ]


def figure(name: str, seconds: list[float], most: float) -> dict[str, object]:
    """One line of the result."""
    value = statistics.median(seconds)
    return {"figure": name, "value": round(value, 2), "unit": "s", "bar": f"<= {most:g}", "holds": value <= most}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print a list of figures")
    parser.add_argument("--postgres", metavar="URL", help="an empty Postgres database in place of a SQLite file")
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="container-kit-benchmark-", ignore_cleanup_errors=True) as home:
        url = asked.postgres or f"sqlite:///{home}/runs.sqlite"
        figures = anyio.run(measure, url, Path(home), asked.runs)
    print(json.dumps(figures, indent=2) if asked.json else "\n".join(map(str, figures)))


if __name__ == "__main__":
    main()
