"""The backend of the local engine: listing, logs, rollback to any kept version, and removal."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import anyio

from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    CommandOptions,
    CommandResult,
    ControlResult,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
    Version,
)
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.backend import check_lines
from container_kit.stages.deploy.faults import OPTION_UNSUPPORTED, application_not_found, version_not_found
from container_kit.stages.deploy.local.container import PUBLIC_ADDRESS, AppContainer, Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, find_active
from container_kit.stages.deploy.local.lock import hold_lock
from container_kit.stages.deploy.local.programs.exec_command import not_running, run_command
from container_kit.stages.deploy.local.recovery import STOP_GRACE, recover
from container_kit.stages.deploy.local.rollback import activate
from container_kit.stages.deploy.local.services import manager as services
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import is_image_id
from container_kit.stages.docker.labels import IMAGE, RUN

if TYPE_CHECKING:
    from docker import APIClient

Action = Literal["stop", "start", "restart"]

_OUTPUT_LINES = 200
_LINE_LENGTH = 2000


class LocalBackend:
    """The applications of the engine on this machine; implements `DeploymentBackend`."""

    full_deployment: ClassVar[str] = "full-deployment"
    deployment: ClassVar[type[Artifact]] = Deployment

    def __init__(self, target: Target, engine: DockerEngine, networks: Networks | None = None) -> None:
        self._target = target
        self._containers = Containers(engine, networks or Networks())

    @staticmethod
    def map_options(options: Mapping[str, Any], given: Set[str], target: str) -> dict[str, Any]:  # noqa: ARG004
        """Return no changes: `full-deployment` has the options of this backend.

        Raises:
            StageFailure: `target.option_unsupported`.
        """
        if "replicas" in given:
            message = f"replicas is not supported by {target}, which runs one container of an application"
            raise OPTION_UNSUPPORTED(message, options="replicas")
        return {}

    @staticmethod
    def summarize(deployment: Deployment, verification: Verification | None) -> Sequence[str]:
        """Describe a deployment and its checks in a few lines."""
        command = deployment.forward_command
        reach = [f"The engine is remote. To open the URL on this machine, run: {command}"] if command else []
        kept = [
            f"{path} is on the volume {name}, which survives new versions" for name, path in deployment.volumes.items()
        ]
        released = [f"ran before it served: {deployment.release_command}"] if deployment.release_command else []
        names = ", ".join(deployment.generated)
        secrets = [f"generated for this application, and kept: {names}"] if names else []
        return [_headline(deployment), *reach, *released, *secrets, *kept, *check_lines(verification)]

    async def list(self, name: str | None) -> Sequence[Application]:
        """Return the applications on the engine, by name."""
        by_name: dict[str, builtins.list[AppContainer]] = {}
        for container in await self._containers.list_all():
            by_name.setdefault(container.app, []).append(container)
        if name is not None and name not in by_name:
            raise application_not_found(name, self._target.name, sorted(by_name))
        return [await self._application(app, by_name[app]) for app in ([name] if name else sorted(by_name))]

    async def logs(self, ctx: StageContext, name: str, version: str | None, lines: int) -> ApplicationLog:
        """Return the end of a version's log, with the values of its variables redacted."""
        active, versions = await self._versions(name)
        container = _select(name, versions, version) if version else active.version or next(iter(versions), None)
        if container is None:
            raise version_not_found(name, version, [])
        redact = await self._redactor(container)
        text = ctx.redact(redact(await self._containers.log_tail(container.id, lines)))
        return ApplicationLog(name=name, version=container.version_name, lines=tuple(text.splitlines()))

    async def rollback(self, ctx: StageContext, name: str, version: str | None) -> RollbackResult:
        """Start a kept version next to the active one and make it active; the other one is kept."""
        async with hold_lock(self._containers.engine.host, name):
            active, versions = await self._versions(name)
            earlier = _select(name, versions, version) if version else _previous(name, versions, active)
            if active.version is None or earlier.id != active.version.id:
                await recover(self._containers, name)
                ctx.progress(f"starting {earlier.name} again")
                await activate(self._containers, active, earlier)
                with anyio.CancelScope(shield=True):
                    await recover(self._containers, name)
        replaced = active.version.version_name if active.version and active.version.id != earlier.id else None
        return RollbackResult(
            name=name,
            on=self._target,
            version=earlier.version_name,
            image=earlier.labels[IMAGE],
            url=f"http://{PUBLIC_ADDRESS}:{earlier.port}",
            forward_command=self._containers.engine.forward_command(earlier.port),
            replaced=replaced,
        )

    async def control(self, ctx: StageContext, name: str, action: Action) -> ControlResult:
        """Stop, start or restart the active version, and its proxy."""
        async with hold_lock(self._containers.engine.host, name):
            active, _ = await self._versions(name)
            version = active.version
            if version is None:
                raise version_not_found(name, None, [])
            parts = {part.id: part for part in (version, active.port_holder) if part is not None}.values()
            with anyio.CancelScope(shield=True):
                if action in ("stop", "restart"):
                    ctx.progress(f"stopping {name}")
                    for part in sorted(
                        parts, key=lambda part: not part.is_proxy
                    ):  # the proxy first: it drains requests
                        await self._containers.stop(part.id, STOP_GRACE)
                if action in ("start", "restart"):
                    ctx.progress(f"starting {name}")
                    for part in sorted(parts, key=lambda part: part.is_proxy):
                        await self._containers.start(part.id)
        return ControlResult(
            name=name,
            on=self._target,
            action=action,
            state="stopped" if action == "stop" else "serving",
            was="serving" if version.running else "stopped",
            url=f"http://{PUBLIC_ADDRESS}:{version.port}" if action != "stop" else None,
        )

    async def execute(self, ctx: StageContext, name: str, options: CommandOptions) -> CommandResult:
        """Run a command in the active version; the values of its variables are redacted in the output."""
        active, _ = await self._versions(name)
        version = active.version
        if version is None or not version.running:
            raise not_running(name)
        ctx.progress(f"running {options.command[0]} in {name}")
        output = await run_command(self._containers.engine, name, version.id, options.command, options.seconds)
        redact = await self._redactor(version)
        lines = ctx.redact(redact(output.text)).splitlines()[-_OUTPUT_LINES:]
        return CommandResult(
            name=name,
            version=version.version_name,
            command=options.command,
            exit_code=output.exit_code,
            lines=tuple(line[:_LINE_LENGTH] for line in lines),
        )

    async def remove(self, ctx: StageContext, name: str, removal: RemovalOptions) -> RemovalResult:
        """Stop and remove all containers of an application, its network, and its volumes on request."""
        async with hold_lock(self._containers.engine.host, name):
            containers = await self._containers.list_app(name)
            for container in sorted(containers, key=lambda c: not c.is_proxy):  # the proxy first: it drains requests
                ctx.progress(f"removing {container.name}")
                if container.running:
                    await self._containers.stop(container.id, STOP_GRACE)
                await self._containers.remove(container.id)
            service_names = await services.remove(self._containers, name)
            volumes = await self._containers.list_volumes(name)
            with anyio.CancelScope(shield=True):
                if removal.volumes:
                    await self._containers.remove_volumes(volumes)
                    await services.delete_passwords(name)
        removed = [f"container {container}" for container in (*(c.name for c in containers), *service_names)]
        volume_lines = [f"volume {volume}" for volume in volumes]
        return RemovalResult(
            name=name,
            target=self._target.name,
            removed=(*removed, *(volume_lines if removal.volumes else ())),
            kept=() if removal.volumes else tuple(volume_lines),
        )

    async def _versions(self, name: str) -> tuple[ActiveVersion, builtins.list[AppContainer]]:
        containers = await self._containers.list_app(name)
        if not containers:
            deployed = sorted({c.app for c in await self._containers.list_all()})
            raise application_not_found(name, self._target.name, deployed)
        active = await find_active(self._containers, containers)
        return active, [c for c in containers if not c.is_proxy and not c.is_candidate]

    async def _application(self, name: str, containers: builtins.list[AppContainer]) -> Application:
        active = await find_active(self._containers, containers)
        version = active.version
        versions = sorted((c for c in containers if not c.is_proxy), key=lambda c: c is not version)
        state: Literal["serving", "stopped", "absent"] = "absent"
        if version is not None:
            state = "serving" if version.running else "stopped"
        return Application(
            name=name,
            target=self._target.name,
            url=f"http://{PUBLIC_ADDRESS}:{version.port}" if version and version.port else None,
            forward_command=self._containers.engine.forward_command(version.port) if version and version.port else None,
            state=state,
            versions=tuple(_version(container, active) for container in versions),
        )

    async def _redactor(self, container: AppContainer) -> Redactor:
        """Return a redactor of the variables that the deployment set; only the container still has their values."""

        def given_values(api: APIClient) -> set[str]:
            from docker.errors import NotFound

            details: dict[str, Any] = api.inspect_container(container.id)
            try:
                from_image = set(api.inspect_image(container.image_id)["Config"].get("Env") or ())
            except NotFound:
                from_image = set()
            return {entry.partition("=")[2] for entry in details["Config"].get("Env") or () if entry not in from_image}

        values = await self._containers.engine.call(given_values)
        return Redactor(value for value in values if not value.isdigit())


def _headline(deployment: Deployment) -> str:
    name, image = deployment.name, deployment.image
    match deployment.kind:
        case "worker":
            return f"deployed {name}: a worker without a port, up (container {deployment.container_name})"
        case "job":
            return "\n".join((f"{name} is a job; it ran to its end with exit code 0", deployment.output)).strip()
        case "command":
            return f"{name} is a command line program; run it with `docker run --rm {image} …` (no deployment)"
        case _:
            verb = "unchanged, still serving" if deployment.unchanged else "deployed"
            return f"{verb} {name}: {deployment.url} (container {deployment.container_name})"


def _select(name: str, versions: Sequence[AppContainer], requested: str) -> AppContainer:
    """Return a version by its name, its image or its image's id; of several, the newest."""
    for container in versions:
        if requested in (container.version_name, container.labels.get(IMAGE), container.id, container.image_id):
            return container
        if is_image_id(requested) and container.image_id.partition(":")[2].startswith(
            requested.removeprefix("sha256:")
        ):
            return container
    raise version_not_found(name, requested, [container.version_name for container in versions])


def _previous(name: str, versions: Sequence[AppContainer], active: ActiveVersion) -> AppContainer:
    """Return the version before the active one."""
    at = next((index for index, c in enumerate(versions) if active.version and c.id == active.version.id), -1)
    if at + 1 >= len(versions):
        raise version_not_found(name, None, [c.version_name for c in versions if c != active.version])
    return versions[at + 1]


def _version(container: AppContainer, active: ActiveVersion) -> Version:
    state: Literal["serving", "starting", "kept", "stopped"] = "starting" if container.is_candidate else "kept"
    if container is active.version:
        state = "serving" if container.running else "stopped"
    return Version(
        version=container.version_name,
        image=container.labels.get(IMAGE, container.image),
        image_id=container.image_id,
        state=state,
        created=datetime.fromtimestamp(container.created, UTC).isoformat(),
        run=container.labels.get(RUN),
    )
