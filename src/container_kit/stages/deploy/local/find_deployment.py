"""The stage `find-deployment`: what serves by a name, as the deployment that made it told it."""

from __future__ import annotations

from container_kit.stages.artifacts.deployment import Deployment
from container_kit.stages.artifacts.deployments import ApplicationRef
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.deploy.backend import APPLICATION_UNKNOWN, unknown
from container_kit.stages.deploy.local.container import Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import serving
from container_kit.stages.deploy.local.deployer import deployment
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine


class FindDeployment(Stage[Deployment]):
    """Find the version of an application that serves on this machine."""

    read_only = True
    faults = (APPLICATION_UNKNOWN, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._containers = Containers(engine or DockerEngine(), Networks())

    async def execute(self, ctx: StageContext, wanted: ApplicationRef) -> Deployment:
        """Look it up.

        Raises:
            StageFailure: `deployment.unknown` where nothing serves by the name, or the engine's.
        """
        now = await serving(self._containers, await self._containers.of(wanted.name))
        if now.version is None:
            there = sorted({one.app for one in await self._containers.all() if not one.proxy})
            raise unknown(wanted.name, "local", [name for name in there if name != wanted.name])
        return deployment(now.version, None, 0.0, 0.0)
