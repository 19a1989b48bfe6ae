"""Going back: a version that is kept starts beside the one that serves and takes over."""

from __future__ import annotations

import anyio

from container_kit.stages.deploy.local import proxy
from container_kit.stages.deploy.local import readiness as prove
from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, cut_over
from container_kit.stages.deploy.local.recovery import clean_up
from container_kit.stages.deploy.local.watchdog import guarded

_RETURN_SECONDS = 30.0


async def go_back(containers: Containers, now: ActiveVersion, previous: AppContainer) -> None:
    """Let a kept version serve again. The application's lock must be held.

    Raises:
        StageFailure: The engine's, or the proxy's; what served before serves still.
    """
    haproxy = await proxy.make_image(containers) if previous.zero_downtime else None
    try:
        async with guarded(containers, previous.app):
            await containers.make_networks()
            if previous.app_network:
                await containers.make_app_network(previous.app_network)
            await containers.rejoin(previous)
            await containers.start(previous.id)
            staging = await containers.staging_port(previous.id, previous.container_port)
            with anyio.move_on_after(_RETURN_SECONDS):  # going back works even to one that answers nothing
                await prove.answers(containers, previous, staging)
            with anyio.CancelScope(shield=True):
                await cut_over(containers, now, previous, haproxy)
    except BaseException:
        await clean_up(containers, previous.app)
        raise
