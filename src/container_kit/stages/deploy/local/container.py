"""What the engine tells of an application's containers: their labels, their networks, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.artifacts.deployment import Probe

APP = "io.container-kit.app"
IMAGE = "io.container-kit.image"
PORT = "io.container-kit.port"
CONTAINER_PORT = "io.container-kit.container-port"
PROBE = "io.container-kit.probe"
HEALTH_PATH = "io.container-kit.health-path"
SERVICE = "io.container-kit.service-of"
SERVICES = "io.container-kit.services"
GAPLESS = "io.container-kit.zero-downtime"
PROXY = "io.container-kit.proxy"
"""Labels that tell of a container what nothing else does."""
CANDIDATE = "-candidate"
"""How the name of a container ends until it has taken the port; renaming it is the commit of a swap."""
APP_NETWORK = "container-kit-app-"
"""How the name of a network begins where an application meets its proxy; it has no way out."""
PUBLIC, STAGING = "127.0.0.1", "127.0.0.2"
RESTART_POLICY = {"Name": "unless-stopped", "MaximumRetryCount": 0}


@dataclass(frozen=True, slots=True)
class Networks:
    """The names of the networks; `front` must sort before `out`, for the first one is the gateway."""

    front: str = "container-kit-front"
    out: str = "container-kit-out"


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
        """The public port on which it is, or is to be, served; 0 for a trial run."""
        return int(self.labels.get(PORT) or 0)

    @property
    def container_port(self) -> int:
        """The port that the application listens on."""
        return int(self.labels.get(CONTAINER_PORT) or 0)

    @property
    def probe(self) -> Probe:
        """How its health is asked."""
        return "tcp" if self.labels.get(PROBE) == "tcp" else "http"

    @property
    def health_path(self) -> str:
        """What is asked for."""
        return self.labels.get(HEALTH_PATH) or "/"

    @property
    def zero_downtime(self) -> bool:
        """Whether it is served through a proxy."""
        return GAPLESS in self.labels

    @property
    def app_network(self) -> str | None:
        """The application's own network, where it belongs there: behind a proxy, or with services."""
        return APP_NETWORK + self.app if self.zero_downtime or self.proxy or SERVICES in self.labels else None

    @property
    def proxy(self) -> bool:
        """Whether it is such a proxy itself."""
        return PROXY in self.labels

    @property
    def served_name(self) -> str:
        """Its name once it has taken the port."""
        return self.name.removesuffix(CANDIDATE)

    @property
    def candidate(self) -> bool:
        """Whether it has not taken the port yet."""
        return self.name.endswith(CANDIDATE)


def from_listing(listed: dict[str, Any]) -> AppContainer:
    """A container as the engine lists it."""
    return AppContainer(
        id=listed["Id"],
        name=listed["Names"][0].lstrip("/") if listed["Names"] else listed["Id"][:12],
        image=listed["Image"],
        image_id=listed["ImageID"],
        running=_runs(listed),
        created=listed["Created"],
        networks=joined(listed),
        labels=listed.get("Labels") or {},
    )


def _runs(details: dict[str, Any]) -> bool:
    state = details["State"]
    return state in ("running", "restarting", "paused") if isinstance(state, str) else bool(state["Running"])


def joined(details: dict[str, Any]) -> frozenset[str]:
    """The networks of a container, as listed or inspected.

    One that could not be joined stays in a running container's list, without a gateway; in a stopped one's, none has.
    """
    networks = (details.get("NetworkSettings") or {}).get("Networks") or {}
    return frozenset(
        name
        for name, one in networks.items()
        if one.get("Gateway") or (name.startswith(APP_NETWORK) and one.get("EndpointID")) or not _runs(details)
    )
