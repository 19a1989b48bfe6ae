"""The containers of an application as the engine reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.artifacts.deployment import Probe
from container_kit.stages.docker.labels import (
    APP,
    CONTAINER_PORT,
    HEALTH_PATH,
    PORT,
    PROBE,
    PROXY,
    RUN,
    SERVICES,
    ZERO_DOWNTIME,
)

CANDIDATE_SUFFIX = "-candidate"
"""Ends the name of a container until it holds the port; renaming it commits a swap."""
APP_NETWORK_PREFIX = "container-kit-app-"
"""Begins the name of the internal network that connects an application to its proxy and services."""
PUBLIC_ADDRESS, STAGING_ADDRESS = "127.0.0.1", "127.0.0.2"
_RANDOM, _HEXADECIMAL = 8, frozenset("0123456789abcdef")
RESTART_POLICY = {"Name": "unless-stopped", "MaximumRetryCount": 0}


@dataclass(frozen=True, slots=True)
class Networks:
    """The names of the networks. `public` must sort before `staging`, because the first network is the gateway."""

    public: str = "container-kit-public"
    staging: str = "container-kit-staging"


@dataclass(frozen=True, slots=True)
class AppContainer:
    """A container of an application, as the engine lists it."""

    id: str
    name: str
    image: str
    image_id: str
    running: bool
    created: int
    """Seconds since the epoch."""
    networks: frozenset[str]
    labels: Mapping[str, str] = field(repr=False)

    @property
    def app(self) -> str:
        """The application's name."""
        return self.labels[APP]

    @property
    def port(self) -> int:
        """The public port, also before the container holds it; 0 for a container that only detects its port."""
        return int(self.labels.get(PORT) or 0)

    @property
    def container_port(self) -> int:
        """The port that the application listens on."""
        return int(self.labels.get(CONTAINER_PORT) or 0)

    @property
    def probe(self) -> Probe:
        """The kind of its health probe."""
        return "tcp" if self.labels.get(PROBE) == "tcp" else "http"

    @property
    def health_path(self) -> str:
        """The path of its health probe."""
        return self.labels.get(HEALTH_PATH) or "/"

    @property
    def zero_downtime(self) -> bool:
        """Whether it is served through a proxy."""
        return bool(self.labels.get(ZERO_DOWNTIME))

    @property
    def app_network(self) -> str | None:
        """The application's internal network, if the container belongs to it: behind a proxy, or with services."""
        member = self.zero_downtime or self.is_proxy or bool(self.labels.get(SERVICES))
        return APP_NETWORK_PREFIX + self.app if member else None

    @property
    def is_proxy(self) -> bool:
        """Whether it is the proxy of an application."""
        return bool(self.labels.get(PROXY))

    @property
    def is_own(self) -> bool:
        """Whether Container Kit created it. Its name says so: any image can bring the labels."""
        app, kind = self.labels.get(APP), "proxy-" if self.is_proxy else ""
        if not app or not (self.is_proxy or self.labels.get(RUN)):
            return False
        prefix, random = f"{app}-{kind}", self.version_name.removeprefix(f"{app}-{kind}")
        return self.name.startswith(prefix) and len(random) == _RANDOM and set(random) <= _HEXADECIMAL

    @property
    def version_name(self) -> str:
        """The name of the version: the container's name once it holds the port."""
        return self.name.removesuffix(CANDIDATE_SUFFIX)

    @property
    def is_candidate(self) -> bool:
        """Whether it does not hold the port yet."""
        return self.name.endswith(CANDIDATE_SUFFIX)


def from_listing(listed: dict[str, Any]) -> AppContainer:
    """Read a container from the engine's listing."""
    return AppContainer(
        id=listed["Id"],
        name=listed["Names"][0].lstrip("/") if listed["Names"] else listed["Id"][:12],
        image=listed["Image"],
        image_id=listed["ImageID"],
        running=_is_running(listed),
        created=listed["Created"],
        networks=attached_networks(listed),
        labels=listed.get("Labels") or {},
    )


def attached_networks(details: dict[str, Any]) -> frozenset[str]:
    """Return the networks that a listed or inspected container is attached to.

    A network that a running container failed to join stays in its list, without a gateway. The networks of a stopped
    container never have one.
    """
    networks = (details.get("NetworkSettings") or {}).get("Networks") or {}
    return frozenset(
        name
        for name, network in networks.items()
        if network.get("Gateway")
        or (name.startswith(APP_NETWORK_PREFIX) and network.get("EndpointID"))
        or not _is_running(details)
    )


def _is_running(details: dict[str, Any]) -> bool:
    state = details["State"]
    return state in ("running", "restarting", "paused") if isinstance(state, str) else bool(state["Running"])
