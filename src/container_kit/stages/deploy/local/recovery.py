"""Recovery of an application after an interrupted deployment: one version is active, and no leftovers remain.

The state is read from the engine, which is the only record: the containers on the public network, the target of the
proxy, the running containers, and the names that end with the candidate suffix. A candidate on the public network was
healthy before it joined, unless it is the only version of its application: a first version starts there.
"""

from __future__ import annotations

from contextlib import suppress

import anyio

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, find_active
from container_kit.stages.deploy.local.proxied import proxy

STOP_GRACE = 10
"""Seconds that a replaced version gets to finish its work, as with `docker stop`."""
_CLEANUP_SECONDS = 60.0


async def recover(containers: Containers, app: str) -> tuple[ActiveVersion, list[AppContainer]]:
    """Make one version active and remove leftovers. The caller must hold the application's lock.

    Returns:
        The active version, and all containers of the application, the newest first.
    """
    existing = await containers.list_app(app)
    active = await find_active(containers, existing)
    if _is_consistent(active, existing):
        return active, existing
    try:
        await _repair(containers, active, existing)
    except StageFailure:  # a call of the dead deployer was still in progress, and took the port in the meantime
        existing = await containers.list_app(app)
        await _repair(containers, await find_active(containers, existing), existing)
    existing = await containers.list_app(app)
    return await find_active(containers, existing), existing


def _is_consistent(active: ActiveVersion, existing: list[AppContainer]) -> bool:
    """Return whether only the active version and its proxy run, and no candidate exists."""
    expected = [c for c in (active.port_holder, active.version) if c is not None and not c.is_candidate]
    alive = [c for c in existing if c.running or c.is_candidate or c.is_proxy]
    return (active.port_holder is None) == (active.version is None) and all(c in expected for c in alive)


async def _repair(containers: Containers, active: ActiveVersion, existing: list[AppContainer]) -> None:
    if active.version is not None and _is_unproven(active, existing):
        active = ActiveVersion()
    died = active.version is not None and active.version.is_candidate and not active.version.running
    if active.version is None or died:
        active = await _restore_port(containers, active, [c for c in existing if c is not active.version])
    if active.version is not None and active.version.is_candidate:
        await containers.commit(active.version)
    leftovers = [c for c in existing if c not in (active.port_holder, active.version)]
    holder = active.port_holder
    if holder and holder.is_proxy and active.version and any(c.running for c in leftovers):
        await proxy.force_route_to(containers, holder.id, active.version)  # the deployer may have died before this
    for container in leftovers:
        await _discard(containers, container)


def _is_unproven(active: ActiveVersion, existing: list[AppContainer]) -> bool:
    """Return whether the active version is a first version whose deployer died before it was healthy."""
    first = active.version
    return (
        first is not None
        and first is active.port_holder
        and first.is_candidate
        and all(c.is_candidate for c in existing)
    )


async def _restore_port(containers: Containers, active: ActiveVersion, existing: list[AppContainer]) -> ActiveVersion:
    """Give the port back to the version that held it: the one that was healthy and still runs."""
    version = next((c for c in existing if c.running and not c.is_candidate and not c.is_proxy), None)
    if version is None:
        return ActiveVersion()
    if not version.zero_downtime:
        if active.port_holder is not None:
            await containers.remove(active.port_holder.id)
        holder = version
    else:
        holder = active.port_holder or next((c for c in existing if c.is_proxy), version)
        if holder.is_proxy:
            await proxy.force_route_to(containers, holder.id, version)
    await containers.connect(holder.id, containers.networks.public)
    await containers.rejoin(holder)
    return ActiveVersion(holder, version)


async def _discard(containers: Containers, container: AppContainer) -> None:
    if container.is_candidate or container.is_proxy:
        await containers.remove(container.id)
    elif container.running:
        await retire(containers, container)


async def clean_up(containers: Containers, app: str) -> None:
    """Recover an application after a failure or a cancellation; without an engine, the next deployment does it."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_CLEANUP_SECONDS), suppress(StageFailure):
        await recover(containers, app)


async def retire(containers: Containers, container: AppContainer) -> None:
    """Stop a replaced version and keep it, ready to start again."""
    await containers.stop(container.id, STOP_GRACE)
    await containers.rejoin(container)
