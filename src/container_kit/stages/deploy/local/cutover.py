"""The active version of an application, and its replacement by another version: directly, or behind the proxy."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.proxied import proxy
from container_kit.stages.deploy.local.swap import revert, swap
from container_kit.stages.docker.labels import RUN


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """The version behind the public port of an application."""

    port_holder: AppContainer | None = None
    """The container that holds the port: the version itself, or its proxy."""
    version: AppContainer | None = None

    def proxy_for(self, new: AppContainer) -> AppContainer | None:
        """Return the proxy that already holds the port of a zero-downtime version."""
        holder = self.port_holder
        fits = new.zero_downtime and holder is not None and holder.is_proxy and holder.port == new.port
        return holder if fits else None


async def find_active(containers: Containers, existing: list[AppContainer]) -> ActiveVersion:
    """Find the active version among an application's containers."""
    holders = containers.port_holders(existing)
    for holder in holders:
        if not holder.is_proxy:
            return ActiveVersion(holder, holder)
        target = await proxy.read_target(containers, holder.id)
        version = next((c for c in existing if target and proxy.network_alias(c.name) == target), None)
        if version is not None:
            return ActiveVersion(holder, version)
    return ActiveVersion(next(iter(holders), None))


async def cut_over(containers: Containers, active: ActiveVersion, new: AppContainer, image: str | None) -> float:
    """Make a healthy version the active one. `revert_cutover` undoes it, also after a partial failure.

    Args:
        image: The HAProxy image, for a zero-downtime version.

    Returns:
        Seconds during which no container held the port.
    """
    if existing_proxy := active.proxy_for(new):
        await proxy.route_to(containers, existing_proxy.id, new)
        return 0.0
    old_port = active.port_holder.port if active.port_holder else new.port
    if image is not None and not await containers.can_swap():
        await _publish(containers, new, image)
        return 0.0
    if image is None:
        return await swap(containers, active.port_holder, old_port, new.id)
    labels = {name: value for name, value in new.labels.items() if name == RUN}
    new_proxy = await proxy.create(containers, image, labels, new)
    return await swap(containers, active.port_holder, old_port, new_proxy)


async def _publish(containers: Containers, new: AppContainer, image: str) -> None:
    """Let a proxy on the version's port serve it: the one that probed it, or a new one."""
    existing = await containers.list_app(new.app)
    if own := next((c for c in existing if c.is_proxy and c.port == new.port), None):
        await proxy.route_to(containers, own.id, new)
        return
    labels = {name: value for name, value in new.labels.items() if name == RUN}
    await proxy.create_published(containers, image, labels, new.app, new.port, new)


async def revert_cutover(containers: Containers, before: ActiveVersion, new: AppContainer) -> None:
    """Make the previous version active again."""
    if (existing_proxy := before.proxy_for(new)) and before.version:
        await proxy.force_route_to(containers, existing_proxy.id, before.version)
        return
    old_holder = before.port_holder.id if before.port_holder else None
    for container in await containers.list_app(new.app):
        if container.id == new.id or (container.is_proxy and container.id != old_holder):
            await revert(containers, None, container.id)
            if container.is_proxy:
                await containers.remove(container.id)
    await revert(containers, before.port_holder, new.id)
