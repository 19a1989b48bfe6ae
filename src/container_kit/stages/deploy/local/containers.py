"""The containers of an application on the engine, and the two networks that decide which container is served.

If the networks of the engine are networks of this machine (`can_swap`), a container's port mapping names no host
address. The engine uses the address of the network that is the container's gateway: 127.0.0.2 on the staging network,
where a candidate starts, and 127.0.0.1 on the public network. The name of the public network sorts first, so it becomes
the gateway as soon as the container joins it. Joining the public network thus publishes the port without a restart.

Other engines forward ports through a virtual machine or a user namespace, or run elsewhere. There, HAProxy publishes
the port, and no version is published.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import FaultCode, StageFailure
from container_kit.stages.deploy.local.container import (
    PUBLIC_ADDRESS,
    RESTART_POLICY,
    STAGING_ADDRESS,
    AppContainer,
    Networks,
    attached_networks,
    from_listing,
)
from container_kit.stages.deploy.local.ports import has_interface, has_staging_address
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.labels import APP, NETWORK

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

VOLUME_FOREIGN = FaultCode(
    "deploy.volume_foreign",
    means="A volume of the required name exists, and another application or person created it.",
    hint="Deploy under another name than {app}, or remove the volume {volume} if its data are not needed.",
)
_PODMAN_PREFIX = re.compile(r"^(localhost|docker\.io/library|docker\.io)/")
"""Podman lists images with their registry."""


class Containers:
    """Calls to the engine. Each succeeds if its effect is already in place."""

    def __init__(self, engine: DockerEngine, networks: Networks) -> None:
        self.engine = engine
        self.networks = networks
        self._can_swap: bool | None = None
        self._can_update: bool | None = None

    async def list_app(self, app: str) -> list[AppContainer]:
        """Return all containers of an application, running or not, the newest first."""
        return await self._list(f"{APP}={app}")

    async def list_all(self) -> list[AppContainer]:
        """Return the containers of all applications, the newest first."""
        return await self._list(APP)

    async def _list(self, label: str) -> list[AppContainer]:
        listed = await self.engine.call(lambda api: api.containers(all=True, filters={"label": label}))
        own = [container for container in map(from_listing, listed) if container.is_own]
        return sorted(own, key=lambda container: container.created, reverse=True)

    def port_holders(self, containers: list[AppContainer]) -> list[AppContainer]:
        """Return the containers that hold a public port, or would hold it if they ran; the likeliest first."""
        public = [container for container in containers if self.networks.public in container.networks]
        return sorted(public, key=lambda container: not container.running)

    async def can_swap(self) -> bool:
        """Return whether a container's port can move between networks that this machine sees, without a restart."""
        if self._can_swap is None:
            self._can_swap = has_staging_address() and await self._has_bridge_here()
        return self._can_swap

    async def _has_bridge_here(self) -> bool:
        """Return whether the bridge of the engine's public network is an interface of this machine."""
        await self.create_networks()
        found = await self.engine.call(lambda api: api.networks(names=[self.networks.public]))
        return any(has_interface(f"br-{network['Id'][:12]}") for network in found)

    async def can_update(self) -> bool:
        """Return whether the restart policy of a container can change. Podman 4 has no such call."""
        if self._can_update is None:
            self._can_update = "libpod-api-version" not in await self.engine.ping()
        return self._can_update

    async def get(self, app: str, container_id: str) -> AppContainer | None:
        """Return one of an application's containers by its id."""
        return next((container for container in await self.list_app(app) if container.id == container_id), None)

    async def staging_port(self, container: str, container_port: int) -> int:
        """Return the port of 127.0.0.2 that reaches a container in staging; 0 if it is not running."""
        details = await self.inspect(container) or {}
        published = ((details.get("NetworkSettings") or {}).get("Ports") or {}).get(f"{container_port}/tcp") or []
        return next((int(binding["HostPort"]) for binding in published), 0)

    async def create_app_network(self, name: str) -> None:
        """Create an internal network for an application, its proxy and its services."""
        await self.engine.call(lambda api: _create_network(api, name, None))

    async def create_networks(self) -> None:
        """Create the public and the staging network if they do not exist."""

        def work(api: APIClient) -> None:
            _create_network(api, self.networks.public, PUBLIC_ADDRESS)
            _create_network(api, self.networks.staging, STAGING_ADDRESS)

        await self.engine.call(work)

    async def with_networks(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`; if a network does not exist, create the networks and run it once more."""
        try:
            return await work()
        except StageFailure as failure:
            text = " ".join(evidence.text for evidence in failure.fault.evidence)
            if not re.search(r"network \S+ not found", text):
                raise
            await self.create_networks()
            return await work()

    async def inspect(self, container: str) -> dict[str, Any] | None:
        """Return the engine's details of a container; None if it does not exist."""

        def work(api: APIClient) -> dict[str, Any] | None:
            from docker.errors import NotFound

            with suppress(NotFound):
                details: dict[str, Any] = api.inspect_container(container)
                return details
            return None

        return await self.engine.call(work)

    async def connect(self, container: str, network: str) -> None:
        """Attach a container to a network."""

        def work(api: APIClient) -> None:
            if network not in attached_networks(api.inspect_container(container)):
                api.connect_container_to_network(container, network)

        await self.engine.call(work)

    async def rejoin(self, container: AppContainer) -> None:
        """Attach a version to its networks other than the public one; it left them when it was replaced."""
        await self.connect(container.id, self.networks.staging)
        if container.app_network and not container.zero_downtime:  # a version behind a proxy never left
            await self.connect(container.id, container.app_network)

    async def disconnect(self, container: str, network: str) -> None:
        """Detach a container from a network."""

        def work(api: APIClient) -> None:
            if network in attached_networks(api.inspect_container(container)):
                api.disconnect_container_from_network(container, network)

        await self.engine.call(work)

    async def start(self, container: str) -> None:
        """Start a container."""
        await self.engine.call(lambda api: api.start(container))

    async def stop(self, container: str, grace: int) -> None:
        """Stop a container; kill it after `grace` seconds."""
        await self.engine.call(lambda api: api.stop(container, timeout=grace))

    async def commit(self, container: AppContainer) -> None:
        """Give a container the name and the restart policy of an active version."""

        def work(api: APIClient) -> None:
            if can_update:  # else it has the policy since its creation
                api.update_container(container.id, restart_policy=RESTART_POLICY)
            if container.is_candidate:
                api.rename(container.id, container.version_name)

        can_update = await self.can_update()
        await self.engine.call(work)

    async def remove(self, container: str) -> None:
        """Remove a container with its anonymous volumes, running or not."""

        def work(api: APIClient) -> None:
            from docker.errors import APIError, NotFound

            try:
                api.remove_container(container, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if "already in progress" not in str(error):
                    raise

        await self.engine.call(work)

    async def list_volumes(self, app: str) -> list[str]:
        """Return the names of an application's volumes."""
        listed = await self.engine.call(lambda api: api.volumes(filters={"label": f"{APP}={app}"}))
        names = [str(volume["Name"]) for volume in listed["Volumes"] or ()]
        return sorted(name for name in names if name.startswith((f"{app}.", f"{app}-")))  # a label is not enough

    async def remove_volumes(self, names: list[str]) -> None:
        """Remove unused volumes."""

        def work(api: APIClient) -> None:
            from docker.errors import NotFound

            for name in names:
                with suppress(NotFound):
                    api.remove_volume(name)

        await self.engine.call(work)

    async def remove_network(self, name: str) -> None:
        """Remove a network if it exists."""

        def work(api: APIClient) -> None:
            from docker.errors import NotFound

            with suppress(NotFound):
                api.remove_network(name)

        await self.engine.call(work)

    async def log_tail(self, container: str, lines: int = 40) -> str:
        """Return the last log lines of both streams; empty if the engine has no log."""

        def work(api: APIClient) -> str:
            from docker.errors import APIError

            with suppress(APIError):
                return bytes(api.logs(container, tail=lines)).decode("utf-8", "replace").strip()
            return ""

        return await self.engine.call(work)

    async def published_ports(self) -> set[int]:
        """Return the ports that running containers of any application hold on the engine's machine."""
        listed = await self.engine.call(lambda api: api.containers())
        ports = (binding.get("PublicPort") for container in listed for binding in container.get("Ports") or ())
        return {port for port in ports if port}

    async def exec_output(self, container: str, *command: str) -> str:
        """Return the standard output of a command in a running container; empty if it cannot be executed."""

        def work(api: APIClient) -> str:
            from docker.errors import APIError

            with suppress(APIError):
                execution = api.exec_create(container, list(command), stderr=False)["Id"]
                return bytes(api.exec_start(execution)).decode("utf-8", "replace")
            return ""

        return await self.engine.call(work)


def volume_name(api: APIClient, app: str, volume: str) -> str:
    """Return the name of an application's volume. The point cannot be part of a name, so no other pair has it.

    A volume of an earlier release, whose name had a hyphen, is used if it has the label of this application.
    """
    earlier = f"{app}-{volume}"
    existing = {item["Name"]: item.get("Labels") or {} for item in api.volumes()["Volumes"] or ()}
    return earlier if existing.get(earlier, {}).get(APP) == app else f"{app}.{volume}"


def create_volume(api: APIClient, app: str, name: str) -> None:
    """Create a volume of an application if it does not exist.

    Raises:
        StageFailure: `deploy.volume_foreign`.
    """
    created = api.create_volume(name, labels={APP: app})  # returns an existing volume as it is
    if (created.get("Labels") or {}).get(APP) != app:
        raise VOLUME_FOREIGN(f"the volume {name} does not belong to {app}", volume=name, app=app)


def ensure_image(api: APIClient, names: tuple[str, ...], built: str, dockerfile: str) -> str | None:
    """Return the first of the images that the engine has; else build `built`. None if the build fails."""
    tags = (tag for image in api.images() for tag in image.get("RepoTags") or ())
    existing = {_PODMAN_PREFIX.sub("", tag) for tag in tags}
    if image := next((name for name in names if name in existing), None):
        return image
    recipe = io.BytesIO(dockerfile.encode())
    lines = list(api.build(fileobj=recipe, tag=built, rm=True, forcerm=True, decode=True))
    return None if any("error" in line for line in lines) else built


def _create_network(api: APIClient, name: str, address: str | None) -> None:
    from docker.errors import APIError

    if any(network["Name"] == name for network in api.networks(names=[name])):
        return
    options = {
        "com.docker.network.bridge.host_binding_ipv4": address,
        "com.docker.network.bridge.enable_icc": "false",  # applications must not reach one another
    }
    isolation: dict[str, Any] = {"internal": True} if address is None else {"options": options}
    try:
        try:
            api.create_network(name, "bridge", check_duplicate=True, labels={NETWORK: name}, **isolation)
        except APIError as error:
            if "unsupported" not in str(error):
                raise
            # Podman has another option: networks with it do not reach those of others.
            api.create_network(name, "bridge", labels={NETWORK: name}, options={"isolate": "true"})
    except APIError as error:
        if error.status_code != 409 and "already" not in str(error):  # another process created it first
            raise
