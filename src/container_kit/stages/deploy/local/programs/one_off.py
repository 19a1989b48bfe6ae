"""Containers that run one command of a version to its end."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio

from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local.candidate import create_volumes, host_config, writable_folders
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.diagnose import FailureSnapshot, take_snapshot
from container_kit.stages.deploy.local.proxied import proxy
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.docker import labels

if TYPE_CHECKING:
    from docker import APIClient

_INTERVAL = 0.2


async def run_command(
    ctx: StageContext, containers: Containers, spec: ContainerSpec, command: Sequence[str], seconds: float
) -> tuple[int | None, FailureSnapshot]:
    """Run a command with the environment, the volumes and the limits of a version, and remove its container.

    Returns:
        The exit code, or None if the command did not end in time; and the state and the log of its container.
    """

    async def create() -> str:
        return await containers.engine.call(lambda api: _create(api, ctx, containers, spec, command))

    container = await containers.with_networks(create)
    try:
        await containers.with_networks(lambda: containers.start(container))
        code = await wait_for_exit(containers, container, seconds)
        return code, await take_snapshot(containers, container, spec)
    finally:
        with anyio.CancelScope(shield=True):
            await containers.remove(container)


async def wait_for_exit(containers: Containers, container: str, seconds: float) -> int | None:
    """Return the exit code of a container; None if it still runs after these seconds."""
    began = anyio.current_time()
    while True:
        state = ((await containers.inspect(container)) or {}).get("State") or {}
        if state.get("Status") in {"exited", "dead"}:
            return int(state.get("ExitCode", -1))
        if anyio.current_time() - began >= seconds:
            return None
        await anyio.sleep(_INTERVAL)


def _create(
    api: APIClient, ctx: StageContext, containers: Containers, spec: ContainerSpec, command: Sequence[str]
) -> str:
    volumes = create_volumes(api, spec)
    created: dict[str, Any] = api.create_container(
        spec.image_id or spec.image,
        command=list(command),
        entrypoint=[],
        name=f"{spec.app}-{secrets.token_hex(4)}-once",
        user=spec.user,
        environment=dict(spec.env),
        labels=labels.of_container(labels.run_labels(ctx)),
        volumes=writable_folders(spec),
        host_config=host_config(api, containers.networks.staging, spec, {}, volumes),
    )
    if spec.services:
        api.connect_container_to_network(created["Id"], proxy.app_network(spec.app))
    return str(created["Id"])
