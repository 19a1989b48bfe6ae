"""Rollback: a kept version starts next to the active one and replaces it."""

from __future__ import annotations

from contextlib import suppress

import anyio

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local import readiness, swap
from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, cut_over
from container_kit.stages.deploy.local.proxied import proxy
from container_kit.stages.deploy.local.proxied.probe_inside import probe_public, probe_staged
from container_kit.stages.deploy.local.recovery import clean_up
from container_kit.stages.deploy.local.watchdog import watchdog
from container_kit.stages.docker.labels import RUN

_START_SECONDS = 30.0


async def activate(containers: Containers, active: ActiveVersion, previous: AppContainer) -> None:
    """Make a kept version the active one. The caller must hold the application's lock.

    Raises:
        StageFailure: A fault of the engine or the proxy; the active version keeps serving.
    """
    haproxy = await proxy.find_image(containers) if previous.zero_downtime else None
    try:
        async with watchdog(containers, previous.app):
            await containers.create_networks()
            if previous.app_network:
                await containers.create_app_network(previous.app_network)
            await containers.rejoin(previous)
            await containers.start(previous.id)
            prober = await _prober(containers, active, previous, haproxy)
            send = await probe_staged(containers, previous.id, previous.container_port, prober)
            with anyio.move_on_after(_START_SECONDS):  # a version that does not answer can still be restored
                await readiness.wait_until_answering(containers, previous, send)
            with anyio.CancelScope(shield=True):
                await cut_over(containers, active, previous, haproxy)
                await _wait_for_public_answer(containers, previous)
    except BaseException:
        await clean_up(containers, previous.app)
        raise


async def _wait_for_public_answer(containers: Containers, version: AppContainer) -> None:
    """Wait until a new proxy has started to listen; a version that does not answer can still be restored."""
    send = await probe_public(containers, version)
    with suppress(StageFailure):
        await swap.wait_until_answering(version.app, version.port, version.probe, version.health_path, send)


async def _prober(
    containers: Containers, active: ActiveVersion, previous: AppContainer, haproxy: str | None
) -> str | None:
    """Return a proxy that can probe a version; None if this machine reaches the staging network."""
    if haproxy is None or await containers.can_swap():
        return None
    if active.port_holder is not None and active.port_holder.is_proxy:
        return active.port_holder.id
    labels = {name: value for name, value in previous.labels.items() if name == RUN}
    return await proxy.create_published(containers, haproxy, labels, previous.app, previous.port)
