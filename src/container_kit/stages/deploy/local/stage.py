"""The stage `deploy`."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.deployment import Deployment, DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.deploy.local.deployer import FAULTS as DEPLOYER_FAULTS
from container_kit.stages.deploy.local.deployer import LocalDeployer
from container_kit.stages.deploy.local.spec import FAULTS as SPEC_FAULTS
from container_kit.stages.deploy.local.spec import ContainerSpec, resolve_spec
from container_kit.stages.deploy.targets import LOCAL
from container_kit.stages.docker.engine import DockerEngine


class Deploy(Stage[Deployment]):
    """Run an image on this machine; the active version is replaced once the new one is healthy."""

    faults = (*SPEC_FAULTS, *DEPLOYER_FAULTS, *PATH_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._deployer = LocalDeployer(engine or DockerEngine())

    async def resolve(
        self,
        ctx: StageContext,
        image: Image,
        options: DeployOptions,
        source: Source | None = None,
        analysis: Analysis | None = None,
        target: Target | None = None,
    ) -> ContainerSpec:
        """Resolve the options, the environment file and the analysis to the container to run.

        Raises:
            StageFailure: One of `faults`.
        """
        return await resolve_spec(ctx, image, options, source, analysis, target or LOCAL)

    async def validate(self, ctx: StageContext, spec: ContainerSpec) -> None:
        """Check that the port is available.

        Raises:
            StageFailure: One of `faults`.
        """
        await self._deployer.check(spec)

    async def execute(self, ctx: StageContext, spec: ContainerSpec) -> Deployment:
        """Start the new version next to the active one, wait until it is healthy, and give it the port.

        Raises:
            StageFailure: One of `faults`; the active version keeps serving.
        """
        return await self._deployer.apply(ctx, spec)

    async def preview(self, ctx: StageContext, spec: ContainerSpec) -> Preview[Deployment]:
        """Describe which version would be replaced, and on which port."""
        return Preview(await self._deployer.plan(spec))

    async def rollback(self, ctx: StageContext, made: Deployment) -> None:
        """Activate the version that was replaced again, and remove the new one."""
        await self._deployer.undo(ctx, made)
