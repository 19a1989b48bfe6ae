"""Putting an application right after a deployment that died: one version serves, and nothing half made is left.

Everything is read from the engine, for it alone knows what came to pass: who is on the `front` network, who runs,
and whose name still says candidate.
"""

from __future__ import annotations

from container_kit.stages.deploy.containers import Containers, Found

STOP_GRACE = 10
"""Seconds that a replaced version has to finish what it does, as `docker stop` gives."""


async def recover(containers: Containers, app: str) -> Found | None:
    """Make one version serve and remove the leftovers. The application's lock must be held.

    Returns:
        The version that serves; None where there is none.
    """
    found = await containers.of(app)
    serving = containers.served(found)
    if serving is not None and serving.candidate and not serving.running:  # it took the port and died
        await containers.remove(serving.id)
        found.remove(serving)
        serving = None
    if serving is None and (serving := _last_to_serve(found)) is not None:
        await serve(containers, serving.id)
    if serving is not None and serving.candidate:
        await containers.commit(serving.id)
    for other in found:
        if serving is None or other.id != serving.id:
            await _put_away(containers, other)
    return await current(containers, app)


async def current(containers: Containers, app: str) -> Found | None:
    """The version that is on the public port, whether it runs or not."""
    return containers.served(await containers.of(app))


async def serve(containers: Containers, container: str) -> None:
    """Put a container on the public port, started if need be. It must not be taken."""
    await containers.connect(container, containers.networks.front)
    await containers.connect(container, containers.networks.out)
    await containers.start(container)


def _last_to_serve(found: list[Found]) -> Found | None:
    """The one whose place nobody took: in the middle of a swap it still runs; after one only the newest may."""
    proved = [one for one in found if not one.candidate]
    return next((one for one in proved if one.running), None)


async def _put_away(containers: Containers, other: Found) -> None:
    if other.candidate:
        await containers.remove(other.id)
    elif other.running:
        await retire(containers, other.id)


async def retire(containers: Containers, container: str) -> None:
    """Stop a replaced version and keep it, ready to be started again."""
    await containers.stop(container, STOP_GRACE)
    await containers.connect(container, containers.networks.out)
