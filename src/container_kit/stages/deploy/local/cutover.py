"""Who serves an application, and how another version takes its place: directly, or behind the proxy."""

from __future__ import annotations

from dataclasses import dataclass

from container_kit.stages.deploy.local import proxy
from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.swap import revert, swap


@dataclass(frozen=True, slots=True)
class ActiveVersion:
    """What is on the public port of an application."""

    holder: AppContainer | None = None
    """The container that has the port: the version itself, or its proxy."""
    version: AppContainer | None = None
    """The version that answers."""

    def proxy_for(self, new: AppContainer) -> AppContainer | None:
        """The proxy that already has the port that a version wants, where it wants one."""
        fits = new.zero_downtime and self.holder is not None and self.holder.proxy and self.holder.port == new.port
        return self.holder if fits else None


async def serving(containers: Containers, found: list[AppContainer]) -> ActiveVersion:
    """Find out who serves."""
    holder = containers.served(found)
    if holder is None or not holder.proxy:
        return ActiveVersion(holder, holder)
    target = await proxy.target_of(containers, holder.id)
    version = next((one for one in found if target and proxy.alias(one.name) == target), None)
    return ActiveVersion(holder, version)


async def cut_over(containers: Containers, now: ActiveVersion, new: AppContainer, image: str | None) -> float:
    """Let a proven version serve in the place of what does. `revert_cutover` undoes it, also when it failed half-way.

    Args:
        image: With HAProxy, for a version that is to be served without a gap.

    Returns:
        Seconds during which nobody had the port.
    """
    if there := now.proxy_for(new):
        await proxy.point(containers, there.id, new)
        return 0.0
    old_port = now.holder.port if now.holder else new.port
    if image is None:
        return await swap(containers, now.holder, old_port, new.id)
    labels = {name: value for name, value in new.labels.items() if name == "io.container-kit.run"}
    made = await proxy.create(containers, image, labels, new)
    return await swap(containers, now.holder, old_port, made)


async def revert_cutover(containers: Containers, before: ActiveVersion, new: AppContainer) -> None:
    """Let what served before serve again."""
    if (there := before.proxy_for(new)) and before.version:
        await proxy.point_back(containers, there.id, before.version)
        return
    found = await containers.of(new.app)
    taken = [one for one in found if one.id == new.id or (one.proxy and one.id != (before.holder and before.holder.id))]
    for one in taken:
        await revert(containers, None, one.id)
        if one.proxy:
            await containers.remove(one.id)
    await revert(containers, before.holder, new.id)
