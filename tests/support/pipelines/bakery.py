"""A pipeline with effects on the disk, and a process that runs it and may be told where to die."""

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
    """Where effects go, and which stage fails."""

    folder: str
    fails: str | None = None
    flaky: str | None = None
    """This stage fails once, and is tried again."""
    holds: str | None = None
    """This stage goes on only once a file `go` is in the folder."""
    slow: float = 0.0
    """Seconds that each stage works."""
    note: str = ""
    secrets: dict[str, str] = Field(default_factory=dict)


class One(Artifact):
    effect: str


class Two(Artifact):
    effect: str


class Three(Artifact):
    effect: str


def die_here(folder: Path, point: str) -> None:
    """Die as by `kill -9` if a file `die-at` names this point; the next process finds no such file and lives."""
    wish = folder / "die-at"
    if wish.exists() and wish.read_text() == point:
        wish.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


async def leave_effect(ctx: StageContext, order: Order, name: str) -> str:
    """Make this stage's effect, or find the one that an earlier process made."""
    folder = Path(order.folder)
    ctx.output(f"{name} begins")
    (folder / f"attempt-{ctx.run_id}-{name}-{ctx.attempt}-{os.getpid()}").touch()
    die_here(folder, f"{name}:before")
    if order.fails == name:
        raise BURNT(f"{name} fails as ordered")
    flaw = folder / f"flaw-{ctx.run_id}"
    if order.flaky == name and not flaw.exists():
        flaw.touch()
        raise OVEN_COLD("cold", degrees=1)
    await anyio.sleep(order.slow)
    while order.holds == name and not (folder / "go").exists():
        await anyio.sleep(0.01)
    found = list(folder.glob(f"effect-{ctx.run_id}-{name}-*"))
    effect = found[0] if found else folder / f"effect-{ctx.run_id}-{name}-{os.getpid()}"
    effect.touch()
    die_here(folder, f"{name}:after")
    return effect.name


class _Effect(Stage[Any]):
    async def rollback(self, ctx: StageContext, made: One | Two | Three) -> None:
        # The folder stands in the artifact's own path, for an undo knows nothing but what was made.
        path = Path(made.effect)
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
    """Ends the parallel pipeline."""

    async def validate(self, ctx: StageContext, order: Order) -> None:
        die_here(Path(order.folder), "sign:validate")

    async def execute(self, ctx: StageContext, order: Order, two: Two, three: Three) -> None:
        (Path(order.folder) / f"signed-{ctx.run_id}").touch()


_RETRY = RetryPolicy(max_attempts=2, initial_delay=0.4, jitter=0)


def find(name: str) -> Plan:
    """The pipelines of the bakery."""
    if name in ("atomic", "workflow"):
        kind = AtomicPipeline if name == "atomic" else WorkflowPipeline
        pipeline: Pipeline = kind(name, inputs=Order).add_stage(First()).add_stage(Second()).add_stage(Third())
    elif name == "parallel":
        pipeline = AtomicPipeline(name, inputs=Order).add_stage(First())
        pipeline.add_parallel_stages(Second(), Third()).add_stage(Sign())
    elif name == "guarded":
        pipeline = WorkflowPipeline(name, inputs=Order).add_stage(First())
        pipeline.add_approval("consent", lambda made: f"go on with {Path(made[One].effect).name}?").add_stage(Second())
    elif name == "targeted":
        pipeline = WorkflowPipeline(name, inputs=Order).add_stage(First())
        pipeline.with_concurrency_key(lambda made: made[Order].note or None)
    else:
        raise WiringError(f"no pipeline {name!r}")
    return pipeline.with_retry(_RETRY).with_timeout(60).plan()


def effects(folder: Path, run_id: str) -> list[str]:
    """The stages whose effects are there, once for each effect."""
    return sorted(path.name.split("-")[2] for path in folder.glob(f"effect-{run_id}-*"))


def work(url: str, home: str, role: str = "local", seconds: float = 30) -> None:
    """Be a process that carries out runs until it is killed or told to stop by a file `stop`; for `multiprocessing`."""
    from container_kit.pipelines.durable.service import DurableRuns

    async def main() -> None:
        async with DurableRuns(url, Path(home), role=role, find=find).opened():  # type: ignore[arg-type]
            with anyio.move_on_after(seconds):
                while not (Path(home) / "stop").exists():
                    await anyio.sleep(0.02)

    anyio.run(main)


def ask(url: str, home: str, pipeline: str, order: dict[str, Any], run_id: str) -> None:
    """Be a process that asks for one run and waits for its end; for `multiprocessing`."""
    from container_kit.pipelines.durable.service import DurableRuns

    def die_in_the_delay(event: Event) -> None:
        if event.kind == "stage_retrying":
            die_here(Path(home), f"{event.stage}:retrying")

    async def main() -> None:
        async with DurableRuns(url, Path(home), find=find, listeners=[die_in_the_delay]).opened() as runs:
            request = find(pipeline).request(Order(**order), id=run_id)
            await runs.start(request, Workspace([Path(home)]))
            (Path(home) / f"asked-{run_id}").touch()
            with anyio.fail_after(30):
                await runs.wait(run_id)

    anyio.run(main)
