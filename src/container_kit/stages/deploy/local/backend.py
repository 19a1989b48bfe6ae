"""The local engine as a place: what runs there, its logs, the way back to any version that is kept, and removing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import anyio

from container_kit.stages.artifacts.deployments import (
    Application,
    ApplicationLog,
    RemovalOptions,
    RemovalResult,
    RollbackResult,
    Version,
)
from container_kit.stages.artifacts.target import Target
from container_kit.stages.contract.redaction import Redactor
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.backend import unknown, version_unknown
from container_kit.stages.deploy.local.container import IMAGE, PUBLIC, AppContainer, Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.cutover import ActiveVersion, serving
from container_kit.stages.deploy.local.lock import held
from container_kit.stages.deploy.local.recovery import STOP_GRACE, recover
from container_kit.stages.deploy.local.rollback import go_back
from container_kit.stages.deploy.local.services import manager as services
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

_RUN = "io.container-kit.run"


class LocalBackend:
    """The applications of this machine's engine; implements `Place`."""

    def __init__(self, engine: DockerEngine, target: Target, networks: Networks | None = None) -> None:
        self._target = target
        self._containers = Containers(engine, networks or Networks())

    async def describe(self, name: str | None) -> list[Application]:
        """The applications on the engine, by name."""
        by_name: dict[str, list[AppContainer]] = {}
        for one in await self._containers.all():
            by_name.setdefault(one.app, []).append(one)
        if name is not None and name not in by_name:
            raise unknown(name, self._target.name, sorted(by_name))
        return [await self._application(app, by_name[app]) for app in ([name] if name else sorted(by_name))]

    async def log(self, ctx: StageContext, name: str, version: str | None, lines: int) -> ApplicationLog:
        """The end of a version's log; values of its variables are left out."""
        now, versions = await self._versions(name)
        found = _named(name, versions, version) if version else now.version or next(iter(versions), None)
        if found is None:
            raise version_unknown(name, version, [])
        redact = await self._redactor(found)
        text = ctx.redact(redact(await self._containers.log_tail(found.id, lines)))
        return ApplicationLog(name=name, version=found.served_name, lines=tuple(text.splitlines()))

    async def go_back(self, ctx: StageContext, name: str, version: str | None) -> RollbackResult:
        """Start a kept version beside what serves, let it take over, and keep the other."""
        async with held(self._containers.engine.host, name):
            now, versions = await self._versions(name)
            earlier = _named(name, versions, version) if version else _before(name, versions, now)
            if now.version is None or earlier.id != now.version.id:
                await recover(self._containers, name)
                ctx.progress(f"starting {earlier.name} again")
                await go_back(self._containers, now, earlier)
                with anyio.CancelScope(shield=True):
                    await recover(self._containers, name)
        replaced = now.version.served_name if now.version and now.version.id != earlier.id else None
        return RollbackResult(
            name=name,
            on=self._target,
            version=earlier.served_name,
            image=earlier.labels[IMAGE],
            url=f"http://{PUBLIC}:{earlier.port}",
            replaced=replaced,
        )

    async def remove(self, ctx: StageContext, name: str, removal: RemovalOptions) -> RemovalResult:
        """Stop and remove all containers of an application, its own network, and its volumes where that is asked."""
        async with held(self._containers.engine.host, name):
            found = await self._containers.of(name)
            for one in sorted(found, key=lambda one: not one.proxy):  # requests end before their application does
                ctx.progress(f"removing {one.name}")
                if one.running:
                    await self._containers.stop(one.id, STOP_GRACE)
                await self._containers.remove(one.id)
            beside = await services.remove(self._containers, name)
            volumes = await self._containers.volumes(name)
            with anyio.CancelScope(shield=True):
                if removal.volumes:
                    await self._containers.remove_volumes(volumes)
                    await services.forget(name)
        gone = [f"container {one}" for one in (*(one.name for one in found), *beside)]
        named = [f"volume {volume}" for volume in volumes]
        return RemovalResult(
            name=name,
            target=self._target.name,
            removed=(*gone, *(named if removal.volumes else ())),
            kept=() if removal.volumes else tuple(named),
        )

    async def _versions(self, name: str) -> tuple[ActiveVersion, list[AppContainer]]:
        found = await self._containers.of(name)
        if not found:
            raise unknown(name, self._target.name, sorted({one.app for one in await self._containers.all()}))
        return await serving(self._containers, found), [one for one in found if not one.proxy and not one.candidate]

    async def _application(self, name: str, found: list[AppContainer]) -> Application:
        now = await serving(self._containers, found)
        version = now.version
        shown = sorted((one for one in found if not one.proxy), key=lambda one: one is not version)
        state: Literal["serving", "stopped", "absent"] = "absent"
        if version is not None:
            state = "serving" if version.running else "stopped"
        return Application(
            name=name,
            target=self._target.name,
            url=f"http://{PUBLIC}:{version.port}" if version else None,
            state=state,
            versions=tuple(_version(one, now) for one in shown),
        )

    async def _redactor(self, found: AppContainer) -> Redactor:
        """Hides the values of the variables that the deployment gave, which only the container knows by now."""

        def given(api: APIClient) -> set[str]:
            from docker.errors import NotFound

            container: dict[str, Any] = api.inspect_container(found.id)
            try:
                own = set(api.inspect_image(found.image_id)["Config"].get("Env") or ())
            except NotFound:
                own = set()
            return {one.partition("=")[2] for one in container["Config"].get("Env") or () if one not in own}

        return Redactor(value for value in await self._containers.engine.call(given) if not value.isdigit())


def _named(name: str, versions: list[AppContainer], wanted: str) -> AppContainer:
    """A version by its name, its image or its image's id; of several the newest."""
    for one in versions:
        if wanted in (one.served_name, one.labels.get(IMAGE), one.id, one.image_id):
            return one
        if re.fullmatch(r"(sha256:)?[0-9a-f]{12,64}", wanted) and one.image_id.partition(":")[2].startswith(
            wanted.removeprefix("sha256:")
        ):
            return one
    raise version_unknown(name, wanted, [one.served_name for one in versions])


def _before(name: str, versions: list[AppContainer], now: ActiveVersion) -> AppContainer:
    """The version that was made before the one that serves."""
    at = next((index for index, one in enumerate(versions) if now.version and one.id == now.version.id), -1)
    if at + 1 >= len(versions):
        raise version_unknown(name, None, [one.served_name for one in versions if one != now.version])
    return versions[at + 1]


def _version(found: AppContainer, now: ActiveVersion) -> Version:
    state: Literal["serving", "starting", "kept", "stopped"] = "starting" if found.candidate else "kept"
    if found is now.version:
        state = "serving" if found.running else "stopped"
    return Version(
        version=found.served_name,
        image=found.labels.get(IMAGE, found.image),
        image_id=found.image_id,
        state=state,
        created=datetime.fromtimestamp(found.created, UTC).isoformat(),
        run=found.labels.get(_RUN),
    )
