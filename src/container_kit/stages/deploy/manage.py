"""The stages that look after applications, the same for every kind of target."""

from __future__ import annotations

from container_kit.stages.artifacts.deployments import (
    ApplicationLog,
    ApplicationQuery,
    ApplicationRef,
    Applications,
    LogQuery,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
    VersionSelector,
)
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.deploy.backend import APPLICATION_UNKNOWN, FAULTS, Backends
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS


class ListDeployments(Stage[Applications]):
    """List what is deployed on a target, with the versions that can be gone back to."""

    read_only = True
    faults = (APPLICATION_UNKNOWN, *ENGINE_FAULTS)

    def __init__(self, locations: Backends) -> None:
        self._places = locations

    async def execute(self, ctx: StageContext, target: Target, wanted: ApplicationQuery) -> Applications:
        """Look.

        Raises:
            StageFailure: `deployment.unknown`, or a fault of the place.
        """
        found = await self._places[target.kind](target).describe(wanted.name)
        return Applications(target=target.name, applications=tuple(found))


class ReadLogs(Stage[ApplicationLog]):
    """Read the end of an application's log."""

    read_only = True
    faults = (*FAULTS, *ENGINE_FAULTS)

    def __init__(self, locations: Backends) -> None:
        self._places = locations

    async def execute(
        self, ctx: StageContext, target: Target, wanted: ApplicationRef, part: LogQuery
    ) -> ApplicationLog:
        """Read.

        Raises:
            StageFailure: One of `faults`, or a fault of the place.
        """
        return await self._places[target.kind](target).log(ctx, wanted.name, part.version, part.lines)


class RollbackDeployment(Stage[RollbackResult]):
    """Let an earlier version serve again; it is kept as it was, so that it only has to start."""

    faults = (*FAULTS, *ENGINE_FAULTS)

    def __init__(self, locations: Backends) -> None:
        self._places = locations

    async def execute(
        self, ctx: StageContext, target: Target, wanted: ApplicationRef, to: VersionSelector
    ) -> RollbackResult:
        """Go back; the version that served is kept in its turn.

        Raises:
            StageFailure: One of `faults`, or a fault of the place; what served before serves still.
        """
        return await self._places[target.kind](target).go_back(ctx, wanted.name, to.version)

    async def rollback(self, ctx: StageContext, made: RollbackResult) -> None:
        """Let the version that was replaced serve again."""
        if made.replaced is not None:
            await self._places[made.on.kind](made.on).go_back(ctx, made.name, made.replaced)


class RemoveDeployment(Stage[RemovalResult]):
    """Remove an application with its versions; its volumes only where that is asked for."""

    faults = ENGINE_FAULTS

    def __init__(self, locations: Backends) -> None:
        self._places = locations

    async def execute(
        self, ctx: StageContext, target: Target, wanted: ApplicationRef, removal: RemovalOptions
    ) -> RemovalResult:
        """Remove it.

        Raises:
            StageFailure: A fault of the place.
        """
        return await self._places[target.kind](target).remove(ctx, wanted.name, removal)

    async def preview(
        self, ctx: StageContext, target: Target, wanted: ApplicationRef, removal: RemovalOptions
    ) -> Preview[RemovalResult]:
        """Say which versions would go."""
        found = await self._places[target.kind](target).describe(wanted.name)
        gone = [f"remove {one.version} ({one.image})" for application in found for one in application.versions]
        return Preview((*gone, "remove its volumes" if removal.volumes else "keep its volumes"))
