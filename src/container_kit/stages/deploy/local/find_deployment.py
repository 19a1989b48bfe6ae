"""The stage `find-deployment`: the active version of an application, as it was deployed."""

from __future__ import annotations

from container_kit.stages.artifacts.deployment import Deployment
from container_kit.stages.artifacts.deployments import ApplicationRef
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.deploy.faults import APPLICATION_NOT_FOUND, application_not_found
from container_kit.stages.deploy.local.container import Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import find_active
from container_kit.stages.deploy.local.deployer import deployment_of
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine


class FindDeployment(Stage[Deployment]):
    """Find the active version of an application on this machine."""

    read_only = True
    faults = (APPLICATION_NOT_FOUND, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._containers = Containers(engine or DockerEngine(), Networks())

    async def execute(self, ctx: StageContext, application: ApplicationRef) -> Deployment:
        """Look up the active version.

        Raises:
            StageFailure: `deployment.not_found` if no version is active, or a fault of the engine.
        """
        active = await find_active(self._containers, await self._containers.list_app(application.name))
        if active.version is None:
            deployed = {c.app for c in await self._containers.list_all() if not c.is_proxy} - {application.name}
            raise application_not_found(application.name, "local", sorted(deployed))
        return deployment_of(self._containers.engine, active.version, None, 0.0, 0.0)
