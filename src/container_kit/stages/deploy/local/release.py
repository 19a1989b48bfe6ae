"""The release command: it runs once in the new image, with the new environment, before the version serves."""

from __future__ import annotations

import secrets
import shlex
from typing import TYPE_CHECKING, Any

import anyio

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import proxy
from container_kit.stages.deploy.local.candidate import create_volumes, host_config, writable_folders
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.docker import labels

if TYPE_CHECKING:
    from docker import APIClient

RELEASE_FAILED = FaultCode(
    "deploy.release_failed",
    means="The release command, such as a migration, failed in the new image. The previous version still serves.",
    hint='Fix what the log of `{command}` shows, or deploy with release_command="" to skip it.',
)

FAULTS = (RELEASE_FAILED,)

_SECONDS = 600.0
_INTERVAL = 0.2


async def run_release(ctx: StageContext, containers: Containers, spec: ContainerSpec) -> None:
    """Run the release command to its end; do nothing without one.

    Raises:
        StageFailure: `deploy.release_failed` with the end of its log, or a fault of the engine.
    """
    if not spec.release:
        return
    command = release_text(spec.release)
    ctx.progress(f"running the release command: {command}", 0.05)
    container = await containers.with_networks(
        lambda: containers.engine.call(lambda api: _create(api, ctx, containers, spec))
    )
    try:
        await containers.with_networks(lambda: containers.start(container))
        code = await _wait(containers, container)
        log = ctx.redact(spec.redact(await containers.log_tail(container)))
    finally:
        with anyio.CancelScope(shield=True):
            await containers.remove(container)
    if code == 0:
        return
    reason = f"exited with code {code}" if code is not None else f"did not end within {_SECONDS:g} s"
    evidence = [Evidence(kind="exit_code", text=str(code), where=command)]
    evidence += [Evidence(kind="log", text=log[-4000:], where=f"the last lines of {command}")] if log else []
    skip = NextAction(why="Deploy without the release command", arguments={"release_command": ""})
    raise RELEASE_FAILED(f"{command} {reason}", evidence=evidence, next_actions=[skip], command=command)


def release_text(release: tuple[str, ...]) -> str:
    """Return a release command as people type it."""
    return release[2] if release[:2] == ("sh", "-c") and len(release) == 3 else shlex.join(release)


def _create(api: APIClient, ctx: StageContext, containers: Containers, spec: ContainerSpec) -> str:
    create_volumes(api, spec)
    created: dict[str, Any] = api.create_container(
        spec.image_id or spec.image,
        command=list(spec.release),
        entrypoint=[],
        name=f"{spec.app}-{secrets.token_hex(4)}-release",
        user=spec.user,
        environment=dict(spec.env),
        labels=labels.run_labels(ctx),
        volumes=writable_folders(spec),
        host_config=host_config(api, containers.networks.staging, spec, {}),
    )
    if spec.services:
        api.connect_container_to_network(created["Id"], proxy.app_network(spec.app))
    return str(created["Id"])


async def _wait(containers: Containers, container: str) -> int | None:
    """Return the exit code; None if the command did not end in time."""
    began = anyio.current_time()
    while anyio.current_time() - began < _SECONDS:
        state = ((await containers.inspect(container)) or {}).get("State") or {}
        if state.get("Status") in {"exited", "dead"}:
            return int(state.get("ExitCode", -1))
        await anyio.sleep(_INTERVAL)
    return None
