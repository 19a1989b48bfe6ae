"""A pipeline for tests of the run view: its stages wait for files in the folder `gates`.

The file `NAME` lets stage NAME continue; `NAME.fail` makes it fail. Each line in `NAME.says` goes to its log.
"""

from __future__ import annotations

from pathlib import Path

import anyio

from container_kit import (
    Artifact,
    Evidence,
    FaultCode,
    NextAction,
    RetryPolicy,
    Stage,
    StageContext,
    WorkflowPipeline,
    minutes,
)

HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 2'>"

SHOW_STOPPED = FaultCode("show.stopped", means="A gate said so.", hint="Take the file {gate} away.", retryable=True)


class Stagehand(Artifact):
    gates: str
    """The folder of the gates."""


class Ready(Artifact):
    by: str = ""


class Lit(Artifact):
    by: str = ""


class Heard(Artifact):
    by: str = ""


class Encore(Artifact):
    by: str = ""


class Played(Artifact):
    by: str = ""


async def pass_gate(ctx: StageContext, stagehand: Stagehand) -> str:
    """Wait until the gate opens, and log the lines of its file."""
    gates = ctx.workspace.directory(stagehand.gates)
    logged = 0
    while not (gates / ctx.stage).exists():
        logged = _log_lines(ctx, gates, logged)
        if (gates / f"{ctx.stage}.fail").exists():
            raise SHOW_STOPPED(
                f"{ctx.stage} was stopped {HOSTILE}",
                evidence=[
                    Evidence(kind="file", where=f"stage.txt:{ctx.attempt}", text=f"STOP {HOSTILE}"),
                    Evidence(kind="log", text="the last line\nbefore the end"),
                ],
                next_actions=[NextAction(why=f"try it again {HOSTILE}", arguments={"gates": stagehand.gates})],
                gate=f"{ctx.stage}.fail",
            )
        await anyio.sleep(0.02)
    _log_lines(ctx, gates, logged)
    return ctx.stage


def _log_lines(ctx: StageContext, gates: Path, logged: int) -> int:
    says = gates / f"{ctx.stage}.says"
    lines = says.read_text().splitlines() if says.exists() else []
    for line in lines[logged:]:
        ctx.output(line)
    if len(lines) > logged:
        ctx.progress(f"{len(lines)} lines told")
    return len(lines)


class Prepare(Stage[Ready]):
    """Prepare the stage."""

    read_only = True

    async def execute(self, ctx: StageContext, stagehand: Stagehand) -> Ready:
        return Ready(by=await pass_gate(ctx, stagehand))


class Light(Stage[Lit]):
    """Light the stage."""

    read_only = True

    async def execute(self, ctx: StageContext, stagehand: Stagehand, ready: Ready) -> Lit:
        return Lit(by=await pass_gate(ctx, stagehand))


class Sound(Stage[Heard]):
    """Try the microphones."""

    read_only = True

    async def execute(self, ctx: StageContext, stagehand: Stagehand, ready: Ready) -> Heard:
        return Heard(by=await pass_gate(ctx, stagehand))


class Overture(Stage[Encore]):
    """Play before the play."""

    read_only = True

    async def execute(self, ctx: StageContext, stagehand: Stagehand) -> Encore:
        return Encore(by=await pass_gate(ctx, stagehand))


class Play(Stage[Played]):
    """Play the play."""

    read_only = True

    async def execute(self, ctx: StageContext, stagehand: Stagehand, lit: Lit, heard: Heard) -> Played:
        return Played(by=await pass_gate(ctx, stagehand))


show = (
    WorkflowPipeline("show", inputs=Stagehand, summary="A show for tests.")
    .add_stage(Prepare())
    .add_parallel_stages(Light(), Sound())
    .add_conditional_stage(Overture(), when=lambda _: False)
    .add_stage(Play(), retry=RetryPolicy.exponential(max_attempts=2, initial_delay=0.1, max_delay=0.1, multiplier=1))
    .with_timeout(minutes(10))
)
