"""The containers of an application on the engine, and the two networks that decide which of them is served.

A container's port mapping names no host address. Engine gives it that of the network which is the container's
gateway: 127.0.0.2 on `out`, where a candidate starts, and 127.0.0.1 on `front`, whose name sorts first and so takes
over as gateway as soon as the container joins it. To join `front` is thus to be served, without a restart.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.deploy.local.container import (
    APP,
    PUBLIC,
    RESTART_POLICY,
    STAGING,
    AppContainer,
    Networks,
    from_listing,
    joined,
)
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")


class Containers:
    """Calls on the engine; each takes it as done where it finds done what it wants."""

    def __init__(self, engine: DockerEngine, networks: Networks) -> None:
        self.engine = engine
        self.networks = networks

    async def of(self, app: str) -> list[AppContainer]:
        """All containers of an application, running or not, the newest first."""
        filters = {"label": f"{APP}={app}"}
        listed = await self.engine.call(lambda api: api.containers(all=True, filters=filters))
        return sorted(map(from_listing, listed), key=lambda found: found.created, reverse=True)

    async def all(self) -> list[AppContainer]:
        """The containers of all applications, the newest first."""
        listed = await self.engine.call(lambda api: api.containers(all=True, filters={"label": APP}))
        return sorted(map(from_listing, listed), key=lambda found: found.created, reverse=True)

    def served(self, found: list[AppContainer]) -> AppContainer | None:
        """The one that holds the public port, or would if it ran."""
        there = [one for one in found if self.networks.front in one.networks]
        return max(there, key=lambda one: one.running, default=None)

    async def get(self, app: str, container: str) -> AppContainer | None:
        """One of an application's containers by its id."""
        return next((one for one in await self.of(app) if one.id == container), None)

    async def staging_port(self, container: str, container_port: int) -> int:
        """The port of 127.0.0.2 at which a container that is not served can be reached; 0 where it is not running."""
        details = await self.inspect(container) or {}
        published = ((details.get("NetworkSettings") or {}).get("Ports") or {}).get(f"{container_port}/tcp") or []
        return next((int(one["HostPort"]) for one in published), 0)

    async def make_app_network(self, name: str) -> None:
        """Create a network without a way out, where an application meets what belongs to it."""
        await self.engine.call(lambda api: _make_network(api, name, None))

    async def make_networks(self) -> None:
        """Create the networks where they are missing."""

        def work(api: APIClient) -> None:
            _make_network(api, self.networks.front, PUBLIC)
            _make_network(api, self.networks.out, STAGING)

        await self.engine.call(work)

    async def networked(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what needs our networks; make them, and do it once more, where they turn out to be missing."""
        try:
            return await work()
        except StageFailure as failure:
            said = " ".join(one.text for one in failure.fault.evidence)
            if not re.search(r"network \S+ not found", said):
                raise
            await self.make_networks()
            return await work()

    async def inspect(self, container: str) -> dict[str, Any] | None:
        """All that the engine knows of a container; None where it is gone."""

        def work(api: APIClient) -> dict[str, Any] | None:
            from docker.errors import NotFound

            with suppress(NotFound):
                found: dict[str, Any] = api.inspect_container(container)
                return found
            return None

        return await self.engine.call(work)

    async def connect(self, container: str, network: str) -> None:
        """Join a network."""

        def work(api: APIClient) -> None:
            if network not in joined(api.inspect_container(container)):
                api.connect_container_to_network(container, network)

        await self.engine.call(work)

    async def rejoin(self, found: AppContainer) -> None:
        """Join the networks that a version belongs to beside `front`; it left them when it was replaced."""
        await self.connect(found.id, self.networks.out)
        if found.app_network and not found.zero_downtime:  # one behind a proxy never left
            await self.connect(found.id, found.app_network)

    async def disconnect(self, container: str, network: str) -> None:
        """Leave a network."""

        def work(api: APIClient) -> None:
            if network in joined(api.inspect_container(container)):
                api.disconnect_container_from_network(container, network)

        await self.engine.call(work)

    async def start(self, container: str) -> None:
        """Start it."""
        await self.engine.call(lambda api: api.start(container))

    async def stop(self, container: str, grace: int) -> None:
        """Ask it to stop; kill it after `grace` seconds."""
        await self.engine.call(lambda api: api.stop(container, timeout=grace))

    async def commit(self, found: AppContainer) -> None:
        """Give a container the name and restart policy of one that serves."""

        def work(api: APIClient) -> None:
            api.update_container(found.id, restart_policy=RESTART_POLICY)
            if found.candidate:
                api.rename(found.id, found.served_name)

        await self.engine.call(work)

    async def remove(self, container: str) -> None:
        """Remove it with its anonymous volumes, running or not."""

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

    async def volumes(self, app: str) -> list[str]:
        """The names of an application's volumes."""
        listed = await self.engine.call(lambda api: api.volumes(filters={"label": f"{APP}={app}"}))
        return sorted(volume["Name"] for volume in listed["Volumes"] or ())

    async def remove_volumes(self, names: list[str]) -> None:
        """Remove volumes that nobody uses."""

        def work(api: APIClient) -> None:
            from docker.errors import NotFound

            for name in names:
                with suppress(NotFound):
                    api.remove_volume(name)

        await self.engine.call(work)

    async def remove_network(self, name: str) -> None:
        """Remove a network, where it is there."""

        def work(api: APIClient) -> None:
            from docker.errors import NotFound

            with suppress(NotFound):
                api.remove_network(name)

        await self.engine.call(work)

    async def log_tail(self, container: str, lines: int = 40) -> str:
        """The last lines that it printed, on both streams; empty where they cannot be had."""

        def work(api: APIClient) -> str:
            from docker.errors import APIError

            with suppress(APIError):
                return bytes(api.logs(container, tail=lines)).decode("utf-8", "replace").strip()
            return ""

        return await self.engine.call(work)

    async def print_of(self, container: str, *command: str) -> str:
        """What a program in a running container prints; without such a program, the engine's complaint or nothing."""

        def work(api: APIClient) -> str:
            from docker.errors import APIError

            with suppress(APIError):
                made = api.exec_create(container, list(command), stderr=False)["Id"]
                return bytes(api.exec_start(made)).decode("utf-8", "replace")
            return ""

        return await self.engine.call(work)


def _make_network(api: APIClient, name: str, address: str | None) -> None:
    from docker.errors import APIError

    if any(network["Name"] == name for network in api.networks(names=[name])):
        return
    options = {
        "com.docker.network.bridge.host_binding_ipv4": address,
        "com.docker.network.bridge.enable_icc": "false",  # applications must not reach one another
    }
    apart = {"internal": True} if address is None else {"options": options}
    try:
        labels = {"io.container-kit.network": name}
        api.create_network(name, "bridge", check_duplicate=True, labels=labels, **apart)
    except APIError as error:
        if error.status_code != 409:  # another process was faster
            raise
