"""The stages that manage deployed applications, for every kind of target."""

from __future__ import annotations

import shlex
from typing import Literal

from container_kit.stages.artifacts.deployments import (
    ApplicationLog,
    ApplicationQuery,
    ApplicationRef,
    Applications,
    CommandOptions,
    CommandResult,
    ControlOptions,
    ControlResult,
    LogQuery,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
    VersionSelector,
)
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.deploy.faults import APPLICATION_NOT_FOUND, OPTION_UNSUPPORTED, VERSION_NOT_FOUND
from container_kit.stages.deploy.local.programs.exec_command import FAULTS as COMMAND_FAULTS
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


class ControlDeployment(Stage[ControlResult]):
    """Stop, start or restart an application."""

    faults = (APPLICATION_NOT_FOUND, VERSION_NOT_FOUND, OPTION_UNSUPPORTED, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, options: ControlOptions
    ) -> ControlResult:
        """Change the state of the active version.

        Raises:
            StageFailure: One of `faults`, or a fault of the target.
        """
        return await backend_for(target, self._engine).control(ctx, application.name, options.action)

    async def preview(
        self, ctx: StageContext, target: Target, application: ApplicationRef, options: ControlOptions
    ) -> Preview[ControlResult]:
        """Describe the change of the state."""
        applications = await backend_for(target, self._engine).list(application.name)
        return Preview(tuple(f"{options.action} {found.name}, which is {found.state}" for found in applications))

    async def rollback(self, ctx: StageContext, made: ControlResult) -> None:
        """Return to the state before."""
        if made.state != made.was:
            action: Literal["stop", "start"] = "start" if made.was == "serving" else "stop"
            await backend_for(made.on, self._engine).control(ctx, made.name, action)


class ExecuteCommand(Stage[CommandResult]):
    """Run a one-off command in an application's container."""

    faults = (APPLICATION_NOT_FOUND, OPTION_UNSUPPORTED, *COMMAND_FAULTS, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, options: CommandOptions
    ) -> CommandResult:
        """Run the command and wait for its end. Its effects cannot be undone.

        Raises:
            StageFailure: One of `faults`, or a fault of the target.
        """
        return await backend_for(target, self._engine).execute(ctx, application.name, options)

    async def preview(
        self, ctx: StageContext, target: Target, application: ApplicationRef, options: CommandOptions
    ) -> Preview[CommandResult]:
        """Describe the command and the container."""
        applications = await backend_for(target, self._engine).list(application.name)
        line = f"run {shlex.join(options.command)[:200]} for at most {options.seconds:g} s"
        return Preview(tuple(f"{line} in {found.versions[0].version}" for found in applications if found.versions))


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
