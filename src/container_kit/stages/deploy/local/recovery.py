"""Putting an application right after a deployment that died: one version serves, and nothing half made is left.

Everything is read from the engine, for it alone knows what came to pass: who is on the `front` network, whom the proxy
serves, who runs, and whose name still says candidate. A candidate on `front` was proved before it came there, unless it
is the only one of its application: the first version starts there.
"""

from __future__ import annotations

from contextlib import suppress

import anyio

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local import proxy
from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, serving

STOP_GRACE = 10
"""Seconds that a replaced version has to finish what it does, as `docker stop` gives."""
_CLEANUP_SECONDS = 60.0


async def recover(containers: Containers, app: str) -> tuple[ActiveVersion, list[AppContainer]]:
    """Make one version serve and remove the leftovers. The application's lock must be held.

    Returns:
        Who serves, and all containers of the application, the newest first.
    """
    found = await containers.of(app)
    now = await serving(containers, found)
    if _in_order(now, found):
        return now, found
    try:
        await _put_right(containers, now, found)
    except StageFailure:  # what a dead deployer had asked for was still under way, and took the port meanwhile
        found = await containers.of(app)
        await _put_right(containers, await serving(containers, found), found)
    found = await containers.of(app)
    return await serving(containers, found), found


def _in_order(now: ActiveVersion, found: list[AppContainer]) -> bool:
    """Whether nothing but what serves runs, or is there and should not be."""
    serves = [one for one in (now.holder, now.version) if one is not None and not one.candidate]
    alive = [one for one in found if one.running or one.candidate or one.proxy]
    return (now.holder is None) == (now.version is None) and all(one in serves for one in alive)


async def _put_right(containers: Containers, now: ActiveVersion, found: list[AppContainer]) -> None:
    if now.version is not None and _unproved(now, found):
        now = ActiveVersion()
    died = now.version is not None and now.version.candidate and not now.version.running
    if now.version is None or died:
        now = await _serve_again(containers, now, [one for one in found if one is not now.version])
    if now.version is not None and now.version.candidate:
        await containers.commit(now.version)
    leftovers = [one for one in found if one not in (now.holder, now.version)]
    if now.holder and now.holder.proxy and now.version and any(one.running for one in leftovers):
        await proxy.point_back(containers, now.holder.id, now.version)  # it may have died before telling the proxy
    for one in leftovers:
        await _put_away(containers, one)


def _unproved(now: ActiveVersion, found: list[AppContainer]) -> bool:
    """Whether what serves is a first version that died before it had proved itself."""
    first = now.version
    return first is not None and first is now.holder and first.candidate and all(one.candidate for one in found)


async def _serve_again(containers: Containers, now: ActiveVersion, found: list[AppContainer]) -> ActiveVersion:
    """Give the port back to the version that had it: the one that was proved and still runs."""
    version = next((one for one in found if one.running and not one.candidate and not one.proxy), None)
    if version is None:
        return ActiveVersion()
    if not version.zero_downtime:
        if now.holder is not None:
            await containers.remove(now.holder.id)
        holder = version
    else:
        holder = now.holder or next((one for one in found if one.proxy), version)
        if holder.proxy:
            await proxy.point_back(containers, holder.id, version)
    await containers.connect(holder.id, containers.networks.front)
    await containers.rejoin(holder)
    return ActiveVersion(holder, version)


async def _put_away(containers: Containers, other: AppContainer) -> None:
    if other.candidate or other.proxy:
        await containers.remove(other.id)
    elif other.running:
        await retire(containers, other)


async def clean_up(containers: Containers, app: str) -> None:
    """Put an application right after a failure, also when cancelled; without an engine the next deployment does it."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_CLEANUP_SECONDS), suppress(StageFailure):
        await recover(containers, app)


async def retire(containers: Containers, found: AppContainer) -> None:
    """Stop a replaced version and keep it, ready to be started again."""
    await containers.stop(found.id, STOP_GRACE)
    await containers.rejoin(found)
