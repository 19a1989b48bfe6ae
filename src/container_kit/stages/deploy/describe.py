"""The stages that look up what a person is asked to approve. They change nothing, and they reject invalid names."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from container_kit.stages.artifacts.deployment import DeployOptions
from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationRef,
    CommandOptions,
    ControlOptions,
    RemovalOptions,
    VersionSelector,
)
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.planned_change import PlannedChange
from container_kit.stages.artifacts.source import Source
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS
from container_kit.stages.deploy.faults import APPLICATION_NOT_FOUND, OPTION_INVALID
from container_kit.stages.deploy.local.spec import FAULTS as SPEC_FAULTS
from container_kit.stages.deploy.local.spec import resolve_spec
from container_kit.stages.deploy.registry import backend_for
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class DescribeDeployment(Stage[PlannedChange]):
    """Look up the container that a deployment to the local engine replaces."""

    read_only = True
    faults = (*SPEC_FAULTS, *ENGINE_FAULTS, *PATH_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, image: Image, options: DeployOptions, target: Target, source: Source | None = None
    ) -> PlannedChange:
        """Check the options, and look up the application and the image.

        Raises:
            StageFailure: One of `faults`.
        """
        spec = await resolve_spec(ctx, image, options, source, None, target)
        applications = await find_application(target, self._engine, spec.app)
        return PlannedChange(
            place=place_name(target, self._engine),
            application=spec.app,
            image=f"{image.reference} {image.id}",
            replaces=serving(applications),
            command=await self._engine.call(lambda api: _command(api, image.id or image.reference)),
        )


class DescribeRollback(Stage[PlannedChange]):
    """Look up the version that a rollback replaces."""

    read_only = True
    faults = (APPLICATION_NOT_FOUND, OPTION_INVALID, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, selector: VersionSelector
    ) -> PlannedChange:
        """Look up the application.

        Raises:
            StageFailure: One of `faults`, or a fault of the target.
        """
        name = check_name(application.name)
        applications = await backend_for(target, self._engine).list(name)
        versions = [version for found in applications for version in found.versions]
        kept = [version for version in versions if version.state == "kept"]
        requested = selector.version
        matching = [v for v in versions if requested in (v.version, v.image, v.image_id)] if requested else kept
        image = f"{matching[0].image} of version {matching[0].version}" if matching else requested or ""
        return PlannedChange(
            place=place_name(target, self._engine), application=name, image=image, replaces=serving(applications)
        )


class DescribeRemoval(Stage[PlannedChange]):
    """Look up the versions that a removal deletes."""

    read_only = True
    faults = (OPTION_INVALID, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, removal: RemovalOptions
    ) -> PlannedChange:
        """Look up the application.

        Raises:
            StageFailure: One of `faults`, or a fault of the target.
        """
        name = check_name(application.name)
        applications = await find_application(target, self._engine, name)
        versions = [f"{version.version} ({version.image})" for found in applications for version in found.versions]
        volumes = "its volumes with their data" if removal.volumes else "no volume"
        return PlannedChange(
            place=place_name(target, self._engine),
            application=name,
            replaces=serving(applications),
            contents=f"{len(versions)} versions and {volumes}",
        )


class DescribeControl(Stage[PlannedChange]):
    """Look up the application that is stopped, started or restarted."""

    read_only = True
    faults = (OPTION_INVALID, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, options: ControlOptions
    ) -> PlannedChange:
        """Look up the application.

        Raises:
            StageFailure: One of `faults`, or a fault of the target.
        """
        name = check_name(application.name)
        applications = await find_application(target, self._engine, name)
        return PlannedChange(
            place=place_name(target, self._engine),
            application=name,
            replaces=serving(applications),
            contents=options.action,
        )


class DescribeCommand(Stage[PlannedChange]):
    """Look up the application that a one-off command runs in."""

    read_only = True
    faults = (OPTION_INVALID, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    async def execute(
        self, ctx: StageContext, target: Target, application: ApplicationRef, options: CommandOptions
    ) -> PlannedChange:
        """Look up the application.

        Raises:
            StageFailure: One of `faults`, or a fault of the target.
        """
        name = check_name(application.name)
        applications = await find_application(target, self._engine, name)
        return PlannedChange(
            place=place_name(target, self._engine),
            application=name,
            replaces=serving(applications),
            command=shlex.join(options.command),
        )


def check_name(name: str) -> str:
    """Return the name of an application if it could be one.

    Raises:
        StageFailure: `deploy.option_invalid`.
    """
    if not _NAME.fullmatch(name):
        rule = "the name of an application: lower-case letters, digits, `-` and `.`"
        raise OPTION_INVALID(f"{name[:60]!r} is not a valid application name", option="name", rule=rule)
    return name


async def find_application(target: Target, engine: DockerEngine, name: str) -> Sequence[Application]:
    """Return the application of a name, or nothing if it is not deployed."""
    try:
        return await backend_for(target, engine).list(name)
    except StageFailure as failure:
        if failure.fault.code != APPLICATION_NOT_FOUND.code:
            raise
        return ()


def serving(applications: Sequence[Application]) -> str:
    """Describe the version that serves now, or the newest one."""
    versions = [version for found in applications for version in found.versions]
    return f"{versions[0].version} ({versions[0].image}, {versions[0].state})" if versions else ""


def place_name(target: Target, engine: DockerEngine) -> str:
    """Describe the place of a target."""
    if target.kind == "local":
        return f"engine {engine.host}"
    return f"context {target.context or 'current'}, namespace {target.namespace or 'default'}"


def _command(api: APIClient, image: str) -> str:
    from docker.errors import ImageNotFound

    try:
        config = api.inspect_image(image).get("Config") or {}
    except ImageNotFound:
        return ""
    return " ".join([*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())])
