"""The cost of the engine: five empty stages, in memory and durable, compared with a DBOS workflow of five steps.

Both are measured in turn, in one process, on one store with the same settings. The figures are ratios of medians.

    python benchmarks/engine.py [--json] [--postgres URL] [--runs 60] [--store-size 2000] [--peers]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypedDict

import anyio
from dbos import DBOS
from pydantic import create_model

from container_kit import Artifact, Pipeline, Stage, StageContext, WorkflowPipeline, Workspace
from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.pipelines.execution.in_memory import run_in_memory
from container_kit.stages.contract.artifact import Artifact as Base

STEPS = 5


class Figure(TypedDict):
    """One line of the result."""

    figure: str
    value: float
    unit: str
    bar: str | None
    holds: bool | None


class Seed(Artifact):
    """The input of the pipelines."""

    number: int = 0


def chain(length: int) -> Pipeline:
    """Return a pipeline of `length` stages, each of which takes the output of the previous one."""
    pipeline = WorkflowPipeline(f"chain-{length}", inputs=Seed)
    before: type[Base] = Seed
    for number in range(length):
        output = create_model(f"Output{number}", __base__=Artifact, number=(int, ...))
        pipeline.add_stage(_stage(f"s{number}", before, output))
        before = output
    return pipeline


def _stage(name: str, input_type: type[Base], output: type[Base]) -> Stage[Any]:
    async def execute(self: Any, ctx: StageContext, before: Any) -> Any:  # noqa: ARG001 - the contract's parameters
        return output(number=before.number + 1)

    execute.__annotations__ = {"ctx": StageContext, "before": input_type, "return": output}
    return type(f"Stage{name}", (Stage,), {"name": name, "execute": execute})()  # type: ignore[no-any-return]


CHAINS = {f"chain-{length}": chain(length).plan() for length in (STEPS, 50, 500)}


async def _nothing() -> int:
    return 1


@DBOS.workflow(name="bare")
async def bare(number: int) -> int:
    """Run five steps of DBOS."""
    for _ in range(STEPS):
        number += await DBOS.run_step_async({"name": "step"}, _nothing)
    return number


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return the duration of some work in milliseconds."""
    begin = time.perf_counter()
    await work()
    return (time.perf_counter() - begin) * 1000


async def in_turn(runs: int, *works: Callable[[], Awaitable[object]]) -> list[float]:
    """Return the median milliseconds of each work, measured in turn."""
    taken: list[list[float]] = [[] for _ in works]
    for number in range(runs + 3):
        for place, work in enumerate(works):
            milliseconds = await timed(work)
            if number >= 3:  # the first ones warm up
                taken[place].append(milliseconds)
    return [statistics.median(times) for times in taken]


class Measurement:
    """The measurements on one store."""

    def __init__(self, name: str, runs: DurableRuns, workspace: Workspace, count: int) -> None:
        self._name = name
        self._runs = runs
        self._workspace = workspace
        self._count = count

    async def ours(self, pipeline: str = f"chain-{STEPS}") -> None:
        """Execute one durable run."""
        run_id = await self._runs.start(CHAINS[pipeline].request(Seed()), self._workspace)
        response = await self._runs.wait(run_id)
        assert response.status == "success", response  # noqa: S101 - a benchmark of failures would be none

    async def dbos(self) -> None:
        """Execute one DBOS workflow."""
        handle = await DBOS.start_workflow_async(bare, 0)
        assert await handle.get_result() == STEPS  # noqa: S101 - as above

    async def latency(self) -> Figure:
        """Measure one run after another."""
        ours, theirs = await in_turn(self._count, self.ours, self.dbos)
        print(f"{self._name}: ours {ours:.2f} ms, bare DBOS {theirs:.2f} ms", file=sys.stderr)
        return _figure(f"durable {self._name}, latency over bare DBOS", ours / theirs, "ratio", at_most=1.3)

    async def throughput(self) -> Figure:
        """Measure twenty runs at the same time."""
        ours, theirs = await in_turn(3, lambda: _many(self.ours, 100), lambda: _many(self.dbos, 100))
        return _figure(f"durable {self._name}, throughput of 20 over bare DBOS", theirs / ours, "ratio", at_least=0.8)

    async def growth_by_stages(self) -> Figure:
        """Compare the milliseconds per stage with 500 stages and with 5."""
        few, many = await in_turn(max(3, self._count // 20), self.ours, lambda: self.ours("chain-500"))
        growth = (many / 500) / (few / 5)
        return _figure(f"durable {self._name}, a stage of 500 over one of 5", growth, "ratio", at_most=1.2)

    async def growth_by_runs(self, size: int) -> Figure:
        """Compare the latency with many and with few runs in the store."""
        [few] = await in_turn(self._count, self.ours)
        await _many(self.ours, size)
        [many] = await in_turn(self._count, self.ours)
        name = f"durable {self._name}, latency with {size} runs more in the store"
        return _figure(name, many / few, "ratio", at_most=1.2)


async def _many(work: Callable[[], Awaitable[object]], count: int, at_once: int = 20) -> None:
    limit = anyio.CapacityLimiter(at_once)

    async def run_limited() -> None:
        async with limit:
            await work()

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(run_limited)


def _figure(
    name: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None
) -> Figure:
    holds = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    bar = f"<= {at_most}" if at_most is not None else f">= {at_least}"
    return {"figure": name, "value": round(value, 3), "unit": unit, "bar": bar, "holds": holds}


async def _memory(workspace: Workspace) -> list[Figure]:
    async def run(length: int) -> None:
        plan = CHAINS[f"chain-{length}"]
        await run_in_memory(plan, plan.request(Seed()), workspace=workspace)

    five, many = await in_turn(100, lambda: run(5), lambda: run(500))
    return [
        _figure("five stages in memory", five, "ms", at_most=0.5),
        _figure("memory, a stage of 500 over one of 5", (many / 500) / (five / 5), "ratio", at_most=1.2),
    ]


async def _durable(name: str, url: str, home: Path, options: argparse.Namespace) -> list[Figure]:
    async with DurableRuns(DurableConfig(url, home, find=CHAINS.__getitem__)).open() as runs:
        measurement = Measurement(name, runs, Workspace([home]), options.runs)
        figures = [await measurement.latency(), await measurement.throughput(), await measurement.growth_by_stages()]
        figures.append(await measurement.growth_by_runs(options.store_size))
        return figures


def _peers(ours: float) -> list[Figure]:
    """Compare five tasks of pydocket and Celery, in a virtual environment, with five durable stages."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="container-kit-peers-") as folder:
        venv.create(folder, with_pip=True)
        python = f"{folder}/bin/python"
        subprocess.run([python, "-m", "pip", "install", "-q", "pydocket", "celery"], check=True)
        for peer in ("pydocket", "celery"):
            script = Path(__file__).parent / "peers" / f"five_{peer}.py"
            output = subprocess.run([python, script], check=True, capture_output=True, text=True, timeout=120).stdout
            name = f"{peer}, five tasks over five durable stages of ours"
            figures.append(
                {"figure": name, "value": round(float(output) / ours, 3), "unit": "ratio", "bar": None, "holds": None}
            )
    return figures


async def measure(options: argparse.Namespace) -> list[Figure]:
    """Return all figures, in memory first."""
    with tempfile.TemporaryDirectory(prefix="container-kit-benchmark-") as folder:
        home = Path(folder)
        figures = await _memory(Workspace([home]))
        url = options.postgres or f"sqlite:///{home}/runs.sqlite"
        return figures + await _durable("Postgres" if options.postgres else "SQLite", url, home, options)


async def _durable_latency(runs: int) -> float:
    with tempfile.TemporaryDirectory(prefix="container-kit-benchmark-") as folder:
        home = Path(folder)
        config = DurableConfig(f"sqlite:///{home}/runs.sqlite", home, find=CHAINS.__getitem__)
        async with DurableRuns(config).open() as durable:
            [ours] = await in_turn(runs, Measurement("SQLite", durable, Workspace([home]), runs).ours)
            return ours


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print a list of figures")
    parser.add_argument("--postgres", metavar="URL", help="an empty Postgres database instead of a SQLite file")
    parser.add_argument("--runs", type=int, default=60, help="repetitions of each measurement")
    parser.add_argument("--store-size", type=int, default=2000, help="runs in the full store")
    parser.add_argument("--peers", action="store_true", help="also measure pydocket and Celery, installed from PyPI")
    options = parser.parse_args()
    figures = anyio.run(measure, options)
    if options.peers:
        figures += _peers(anyio.run(_durable_latency, options.runs))
    if "--json" not in sys.argv:
        for figure in figures:
            mark = {True: "ok  ", False: "MISS", None: "    "}[figure["holds"]]
            print(f"{mark} {figure['figure']}: {figure['value']} {figure['unit']} ({figure['bar']})")
    else:
        print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
