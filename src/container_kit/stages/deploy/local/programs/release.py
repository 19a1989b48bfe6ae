"""The release command: it runs once in the new image, with the new environment, before the version serves."""

from __future__ import annotations

import shlex

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import diagnose
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.programs.one_off import run_command
from container_kit.stages.deploy.local.spec import ContainerSpec

RELEASE_FAILED = FaultCode(
    "deploy.release_failed",
    means="The release command, such as a migration, failed in the new image; the previous version still serves.",
    hint="Fix what the log of `{command}` shows, or deploy with release=false to skip it.",
)

FAULTS = (RELEASE_FAILED,)

_SECONDS = 600.0


async def run_release(ctx: StageContext, containers: Containers, spec: ContainerSpec) -> None:
    """Run the release command to its end; do nothing without one.

    Raises:
        StageFailure: `deploy.release_failed` with the end of its log, or a fault of the engine.
    """
    if not spec.release:
        return
    command = release_text(spec.release)
    ctx.progress(f"running the release command: {command}", 0.05)
    code, snapshot = await run_command(ctx, containers, spec, spec.release, _SECONDS)
    if code == 0:
        return
    reason = f"exited with code {code}" if code is not None else f"did not end within {_SECONDS:g} s"
    evidence = [Evidence(kind="exit_code", text=str(code), where=command)]
    if log := ctx.redact(snapshot.log):
        evidence.append(Evidence(kind="log", text=log[-4000:], where=f"the last lines of {command}"))
    cause = diagnose.exited(snapshot).fault
    known = cause.code != diagnose.EXITED.code
    skip = NextAction(why="Deploy without the release command", arguments={"release": False})
    raise RELEASE_FAILED(
        f"{command} {reason}{f': {cause.message}' if known else ''}",
        evidence=evidence,
        next_actions=[*(cause.next_actions if known else ()), skip],
        command=command,
    )


def release_text(release: tuple[str, ...]) -> str:
    """Return a release command as people type it."""
    return release[2] if release[:2] == ("sh", "-c") and len(release) == 3 else shlex.join(release)
