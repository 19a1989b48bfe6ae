"""The delay until a run is cancelled from another process, and until it resumes after its process died.

A server starts runs and two worker processes execute them. Each figure is the median of several runs.

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
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.pipelines.plan import Plan


class TraceFolder(Artifact):
    """The folder of the files that a stage creates."""

    folder: str


class Hold(Stage[None]):
    """A stage that runs until it is cancelled."""

    async def execute(self, ctx: StageContext, trace: TraceFolder) -> None:
        """Record the process, and wait."""
        await anyio.Path(trace.folder, f"{ctx.run_id}-{os.getpid()}").touch()
        await anyio.sleep_forever()


def find(_name: str) -> Plan:
    """Return the only plan."""
    return AtomicPipeline("hold", inputs=TraceFolder).add_stage(Hold()).plan()


def work(url: str, home: str) -> None:
    """Run a worker until it is killed."""

    async def main() -> None:
        async with DurableRuns(DurableConfig(url, Path(home), "worker", find=find, max_recovery_attempts=1000)).open():
            await anyio.sleep_forever()

    anyio.run(main)


async def executors(folder: Path, run_id: str, count: int) -> list[int]:
    """Wait until `count` processes have started the stage, and return their ids."""
    traces: list[anyio.Path] = []
    with anyio.fail_after(60):
        while len(traces) < count:
            await anyio.sleep(0.002)
            traces = [path async for path in anyio.Path(folder).glob(f"{run_id}-*")]
    return [int(path.name.rpartition("-")[2]) for path in traces]


async def cancel_delay(runs: DurableRuns, folder: Path) -> float:
    """Return the seconds from cancelling a run in another process until its stage stops."""
    run_id = await runs.start(find("hold").request(TraceFolder(folder=str(folder))), Workspace([folder]))
    await executors(folder, run_id, 1)
    cancelled_at = time.time()
    await runs.cancel(run_id)
    stopped: list[Event] = [event async for _, event in runs.events(run_id) if event.kind == "stage_failed"]
    return stopped[0].time - cancelled_at


async def recovery_delay(runs: DurableRuns, folder: Path, replace: Callable[[], BaseProcess]) -> float:
    """Return the seconds from the death of a worker until another one resumes its run."""
    run_id = await runs.start(find("hold").request(TraceFolder(folder=str(folder))), Workspace([folder]))
    [victim] = await executors(folder, run_id, 1)
    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    await executors(folder, run_id, 2)
    seconds = time.monotonic() - killed
    replace()
    await runs.cancel(run_id)
    await runs.wait(run_id)
    return seconds


async def measure(url: str, home: Path, count: int) -> list[dict[str, object]]:
    """Measure both delays on one store."""
    spawning = multiprocessing.get_context("spawn")
    workers: list[BaseProcess] = []

    def worker() -> BaseProcess:
        process = spawning.Process(target=work, args=(url, str(home)), daemon=True)
        process.start()
        workers.append(process)
        return process

    worker(), worker()
    try:
        async with DurableRuns(DurableConfig(url, home, "server", find=find)).open() as runs:
            cancels = [await cancel_delay(runs, home) for _ in range(count)]
            recoveries = [await recovery_delay(runs, home, worker) for _ in range(count)]
    finally:
        for process in workers:
            process.kill()
    store = "SQLite" if url.startswith("sqlite") else "Postgres"
    return [
        figure(f"{store}: a cancel reaches a stage in another process", cancels, 1.0),
        figure(f"{store}: a killed worker's run resumes elsewhere", recoveries, 5.0),
    ]


def figure(name: str, seconds: list[float], most: float) -> dict[str, object]:
    """Return one line of the result."""
    value = statistics.median(seconds)
    return {"figure": name, "value": round(value, 2), "unit": "s", "bar": f"<= {most:g}", "holds": value <= most}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print a list of figures")
    parser.add_argument("--postgres", metavar="URL", help="an empty Postgres database instead of a SQLite file")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="container-kit-benchmark-", ignore_cleanup_errors=True) as home:
        url = options.postgres or f"sqlite:///{home}/runs.sqlite"
        figures = anyio.run(measure, url, Path(home), options.runs)
    print(json.dumps(figures, indent=2) if options.json else "\n".join(map(str, figures)))


if __name__ == "__main__":
    main()
