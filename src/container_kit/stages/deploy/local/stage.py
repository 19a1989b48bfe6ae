"""The stage `deploy`."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.deployment import Deployment, DeployOptions
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.deploy.local import deployer as local
from container_kit.stages.deploy.local import spec as wish
from container_kit.stages.deploy.local.deployer import LocalTarget
from container_kit.stages.deploy.targets import LOCAL
from container_kit.stages.docker.engine import DockerEngine


class Deploy(Stage[Deployment]):
    """Run an image on this machine, replacing the version that serves once the new one has proved itself."""

    faults = (*wish.FAULTS, *local.FAULTS, *PATH_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._local = LocalTarget(engine or DockerEngine())

    async def validate(
        self,
        ctx: StageContext,
        image: Image,
        options: DeployOptions,
        source: Source | None = None,
        analysis: Analysis | None = None,
        target: Target | None = None,
    ) -> None:
        """Check the options, the file of variables and the port.

        Raises:
            StageFailure: One of `faults`.
        """
        await self._local.check(await wish.resolve(ctx, image, options, source, analysis, target or LOCAL))

    async def execute(
        self,
        ctx: StageContext,
        image: Image,
        options: DeployOptions,
        source: Source | None = None,
        analysis: Analysis | None = None,
        target: Target | None = None,
    ) -> Deployment:
        """Start the new version beside the old one, wait until it is healthy, and let it take the port.

        Raises:
            StageFailure: One of `faults`; what served before serves still.
        """
        return await self._local.apply(ctx, await wish.resolve(ctx, image, options, source, analysis, target or LOCAL))

    async def preview(
        self,
        ctx: StageContext,
        image: Image,
        options: DeployOptions,
        source: Source | None = None,
        analysis: Analysis | None = None,
        target: Target | None = None,
    ) -> Preview[Deployment]:
        """Say which version would be replaced by which, on which port."""
        return Preview(
            await self._local.plan(await wish.resolve(ctx, image, options, source, analysis, target or LOCAL))
        )

    async def rollback(self, ctx: StageContext, made: Deployment) -> None:
        """Let the version that was replaced serve again, and remove the new one."""
        await self._local.undo(ctx, made)
