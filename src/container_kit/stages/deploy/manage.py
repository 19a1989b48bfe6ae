"""The stages that manage deployed applications, for every kind of target."""

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
from container_kit.stages.deploy.faults import APPLICATION_NOT_FOUND, VERSION_NOT_FOUND
from container_kit.stages.deploy.registry import backend_for
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine


class ListDeployments(Stage[Applications]):
    """List the applications on a target, with the versions that can be rolled back to."""

    read_only = True
    faults = (APPLICATION_NOT_FOUND, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(self, ctx: StageContext, target: Target, query: ApplicationQuery) -> Applications:
        """List the applications.

        Raises:
            StageFailure: `deployment.not_found`, or a fault of the target.
        """
        applications = await backend_for(target, self._engine).list(query.name)
        return Applications(target=target.name, applications=tuple(applications))


class ReadLogs(Stage[ApplicationLog]):
    """Read the end of an application's log."""

    read_only = True
    faults = (APPLICATION_NOT_FOUND, VERSION_NOT_FOUND, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, query: LogQuery
    ) -> ApplicationLog:
        """Read the log.

        Raises:
            StageFailure: One of `faults`, or a fault of the target.
        """
        return await backend_for(target, self._engine).logs(ctx, application.name, query.version, query.lines)


class RollbackDeployment(Stage[RollbackResult]):
    """Replace the active version of an application by an earlier one."""

    faults = (APPLICATION_NOT_FOUND, VERSION_NOT_FOUND, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, selector: VersionSelector
    ) -> RollbackResult:
        """Roll back; the version that was active is kept.

        Raises:
            StageFailure: One of `faults`, or a fault of the target; the active version keeps serving.
        """
        return await backend_for(target, self._engine).rollback(ctx, application.name, selector.version)

    async def rollback(self, ctx: StageContext, made: RollbackResult) -> None:
        """Activate the version that was replaced again."""
        if made.replaced is not None:
            await backend_for(made.on, self._engine).rollback(ctx, made.name, made.replaced)


class RemoveDeployment(Stage[RemovalResult]):
    """Remove an application with its versions; its volumes only on request."""

    faults = ENGINE_FAULTS

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, removal: RemovalOptions
    ) -> RemovalResult:
        """Remove the application.

        Raises:
            StageFailure: A fault of the target.
        """
        return await backend_for(target, self._engine).remove(ctx, application.name, removal)

    async def preview(
        self, ctx: StageContext, target: Target, application: ApplicationRef, removal: RemovalOptions
    ) -> Preview[RemovalResult]:
        """List the versions that would be removed."""
        applications = await backend_for(target, self._engine).list(application.name)
        versions = [version for found in applications for version in found.versions]
        lines = [f"remove {version.version} ({version.image})" for version in versions]
        return Preview((*lines, "remove its volumes" if removal.volumes else "keep its volumes"))
