"""Pipelines with effects on the disk, and processes that run them and die at a given point."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import anyio
from pydantic import Field

from container_kit import (
    Artifact,
    AtomicPipeline,
    Event,
    Pipeline,
    RetryPolicy,
    Stage,
    StageContext,
    WiringError,
    WorkflowPipeline,
)
from container_kit.pipelines.plan import Plan
from container_kit.stages.contract.workspace import Workspace
from support.pipelines.toy_stages import BURNT, OVEN_COLD

STAGES = ("first", "second", "third")


class Order(Artifact):
    """The folder of effects, and the stage that fails."""

    folder: str
    fails: str | None = None
    flaky: str | None = None
    """This stage fails once and is retried."""
    holds: str | None = None
    """This stage waits for a file `go` in the folder."""
    slow: float = 0.0
    """Duration of each stage in seconds."""
    note: str = ""
    secrets: dict[str, str] = Field(default_factory=dict)


class One(Artifact):
    effect: str


class Two(Artifact):
    effect: str


class Three(Artifact):
    effect: str


def die_here(folder: Path, point: str) -> None:
    """Die as by `kill -9` if a file `die-at` contains this point. The file is removed, so the next process lives."""
    file = folder / "die-at"
    if file.exists() and file.read_text() == point:
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


async def leave_effect(ctx: StageContext, order: Order, name: str) -> str:
    """Create the effect of a stage, or find the one of an earlier process."""
    folder = Path(order.folder)
    ctx.output(f"{name} begins")
    (folder / f"attempt-{ctx.run_id}-{name}-{ctx.attempt}-{os.getpid()}").touch()
    die_here(folder, f"{name}:before")
    if order.fails == name:
        raise BURNT(f"{name} fails by request")
    failed = folder / f"failed-{ctx.run_id}"
    if order.flaky == name and not failed.exists():
        failed.touch()
        raise OVEN_COLD("cold", degrees=1)
    await anyio.sleep(order.slow)
    while order.holds == name and not (folder / "go").exists():
        await anyio.sleep(0.01)
    effects = list(folder.glob(f"effect-{ctx.run_id}-{name}-*"))
    effect = effects[0] if effects else folder / f"effect-{ctx.run_id}-{name}-{os.getpid()}"
    effect.touch()
    die_here(folder, f"{name}:after")
    return effect.name


class _Effect(Stage[Any]):
    async def rollback(self, ctx: StageContext, output: One | Two | Three) -> None:
        # A rollback gets only the output of its stage, which contains the path of the folder.
        path = Path(output.effect)
        die_here(path.parent, f"undo-{self.name}:before")
        path.unlink(missing_ok=True)
        die_here(path.parent, f"undo-{self.name}:after")


class First(_Effect):
    async def execute(self, ctx: StageContext, order: Order) -> One:
        return One(effect=str(Path(order.folder) / await leave_effect(ctx, order, "first")))


class Second(_Effect):
    async def execute(self, ctx: StageContext, order: Order, one: One) -> Two:
        return Two(effect=str(Path(order.folder) / await leave_effect(ctx, order, "second")))


class Third(_Effect):
    async def execute(self, ctx: StageContext, order: Order, one: One) -> Three:
        return Three(effect=str(Path(order.folder) / await leave_effect(ctx, order, "third")))


class Sign(Stage[None]):
    """The last stage of the parallel pipeline."""

    async def validate(self, ctx: StageContext, order: Order) -> None:
        die_here(Path(order.folder), "sign:validate")

    async def execute(self, ctx: StageContext, order: Order, two: Two, three: Three) -> None:
        (Path(order.folder) / f"signed-{ctx.run_id}").touch()


_RETRY = RetryPolicy(max_attempts=2, initial_delay=0.4, jitter=0)


def find(name: str) -> Plan:
    """Return a plan."""
    if name in ("atomic", "workflow"):
        kind = AtomicPipeline if name == "atomic" else WorkflowPipeline
        pipeline: Pipeline = kind(name, inputs=Order).add_stage(First()).add_stage(Second()).add_stage(Third())
    elif name == "parallel":
        pipeline = AtomicPipeline(name, inputs=Order).add_stage(First())
        pipeline.add_parallel_stages(Second(), Third()).add_stage(Sign())
    elif name == "guarded":
        pipeline = WorkflowPipeline(name, inputs=Order).add_stage(First())
        pipeline.add_approval("consent", lambda artifacts: f"go on with {Path(artifacts[One].effect).name}?").add_stage(
            Second()
        )
    elif name == "targeted":
        pipeline = WorkflowPipeline(name, inputs=Order).add_stage(First())
        pipeline.with_concurrency_key(lambda artifacts: artifacts[Order].note or None)
    else:
        raise WiringError(f"there is no pipeline {name!r}")
    return pipeline.with_retry(_RETRY).with_timeout(60).plan()


def effects(folder: Path, run_id: str) -> list[str]:
    """Return the stages with effects, once for each effect."""
    return sorted(path.name.split("-")[2] for path in folder.glob(f"effect-{run_id}-*"))


def work(url: str, home: str, role: str = "local", seconds: float = 30) -> None:
    """Execute runs in a process of `multiprocessing`, until it is killed or a file `stop` exists."""
    from container_kit.pipelines.durable.config import DurableConfig
    from container_kit.pipelines.durable.service import DurableRuns

    async def main() -> None:
        async with DurableRuns(DurableConfig(url, Path(home), role=role, find=find)).open():  # type: ignore[arg-type]
            with anyio.move_on_after(seconds):
                while not (Path(home) / "stop").exists():
                    await anyio.sleep(0.02)

    anyio.run(main)


def start_run(url: str, home: str, pipeline: str, order: dict[str, Any], run_id: str) -> None:
    """Start one run in a process of `multiprocessing`, and wait for its end."""
    from container_kit.pipelines.durable.config import DurableConfig
    from container_kit.pipelines.durable.service import DurableRuns

    def die_in_the_delay(event: Event) -> None:
        if event.kind == "stage_retrying":
            die_here(Path(home), f"{event.stage}:retrying")

    async def main() -> None:
        async with DurableRuns(DurableConfig(url, Path(home), find=find, listeners=[die_in_the_delay])).open() as runs:
            request = find(pipeline).request(Order(**order), id=run_id)
            await runs.start(request, Workspace([Path(home)]))
            (Path(home) / f"started-{run_id}").touch()
            with anyio.fail_after(30):
                await runs.wait(run_id)

    anyio.run(main)
