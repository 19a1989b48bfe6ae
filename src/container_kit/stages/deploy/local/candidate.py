"""Making the container of a new version: hardened by default, labelled, not yet served."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import diagnose, proxy
from container_kit.stages.deploy.local.container import (
    APP,
    CANDIDATE,
    CONTAINER_PORT,
    GAPLESS,
    HEALTH_PATH,
    IMAGE,
    PORT,
    PROBE,
    SERVICES,
)
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.ports import free_port, holder
from container_kit.stages.deploy.local.spec import ContainerSpec

if TYPE_CHECKING:
    from docker import APIClient

IMAGE_MISSING = FaultCode(
    "deploy.image_missing",
    means="The local engine does not have the image.",
    hint="Build {image} again, or name an image that `docker images` lists.",
)
PORT_IN_USE = FaultCode(
    "deploy.port_in_use",
    means="Something else holds the port on this machine.",
    hint="Deploy with port={free}, which is free, or stop what holds the port.",
)

FAULTS = (IMAGE_MISSING, PORT_IN_USE)

_TMPFS = {"/tmp": "size=64m,mode=1777"}  # noqa: S108 (a path in the container)
_PIDS = 256


async def start(ctx: StageContext, containers: Containers, wish: ContainerSpec, port: int | None, network: str) -> str:
    """Create the container and start it.

    Args:
        port: The public port, which Engine publishes on the network's address; None publishes nothing.
        network: `out`, or `front` for the first version of an application.

    Returns:
        The container's id.

    Raises:
        StageFailure: One of `FAULTS`, of `diagnose.FAULTS` where the process cannot be started, or the engine's.
    """
    try:
        created = await containers.engine.call(lambda api: _create(api, ctx, network, wish, port))
    except StageFailure as failure:
        if "no such image" in _said(failure).lower():
            raise IMAGE_MISSING(f"the engine has no image {wish.image}", image=wish.image) from failure
        raise
    try:
        await containers.networked(lambda: containers.start(created))
    except StageFailure as failure:
        if port is not None and is_port_conflict(failure):
            raise await port_in_use(containers, wish.app, port) from failure
        raise diagnose.refused(failure, wish) from failure
    return created


def is_port_conflict(failure: StageFailure) -> bool:
    """Whether the engine could not publish a port because it is taken."""
    return re.search("port is already allocated|address already in use", _said(failure)) is not None


async def port_in_use(containers: Containers, app: str, port: int) -> StageFailure:
    """Make the fault of a taken port: who holds it, and which one is free."""
    published = await containers.engine.call(lambda api: _publisher(api, port))
    who = f"container {published}" if published else holder(port)
    free = free_port(app, taken=[port])
    return PORT_IN_USE(
        f"port {port} is held by {who or 'another process'}",
        evidence=[Evidence(kind="value", text=who)] if who else (),
        next_actions=[NextAction(why=f"Port {free} is free", arguments={"port": free})],
        free=free,
    )


def _said(failure: StageFailure) -> str:
    return " ".join([failure.fault.message, *(one.text for one in failure.fault.evidence)])


def _publisher(api: APIClient, port: int) -> str | None:
    for container in api.containers():
        if any(one.get("PublicPort") == port for one in container.get("Ports") or ()):
            return str(container["Names"][0]).lstrip("/")
    return None


def _create(api: APIClient, ctx: StageContext, network: str, wish: ContainerSpec, port: int | None) -> str:
    labels = {
        **ctx.labels,
        APP: wish.app,
        IMAGE: wish.image,
        PROBE: wish.options.probe,
        HEALTH_PATH: wish.health_path,
        PORT: str(port or ""),
        CONTAINER_PORT: str(wish.container_port or ""),
        **({GAPLESS: "haproxy"} if wish.options.zero_downtime else {}),
        **({SERVICES: ",".join(kind.name for kind, _ in wish.services)} if wish.services else {}),
    }
    # Behind a proxy, any free port of 127.0.0.2 will do for the probe.
    publish = {wish.container_port: None if wish.options.zero_downtime else port} if port is not None else {}
    for volume in wish.options.volumes:
        api.create_volume(f"{wish.app}-{volume}", labels={APP: wish.app})
    name = f"{wish.app}-{secrets.token_hex(4)}{CANDIDATE}"
    created = api.create_container(
        _reference(api, wish),
        name=name,
        user=wish.user,
        environment=dict(wish.env),
        labels=labels,
        ports=list(publish),
        host_config=_host_config(api, network, wish, publish),
    )
    if wish.options.zero_downtime or wish.services:
        api.connect_container_to_network(created["Id"], proxy.network(wish.app), aliases=[proxy.alias(name)])
    return str(created["Id"])


def _reference(api: APIClient, wish: ContainerSpec) -> str:
    """The image's name while it still means the image that was asked for, which `docker ps` then shows; else its id."""
    from docker.errors import ImageNotFound

    with suppress(ImageNotFound):
        if not wish.image_id or api.inspect_image(wish.image)["Id"] == wish.image_id:
            return wish.image
    return wish.image_id or wish.image


def _host_config(
    api: APIClient, network: str, wish: ContainerSpec, publish: dict[int | None, int | None]
) -> dict[str, Any]:
    memory = wish.options.memory_mb << 20
    config: dict[str, Any] = api.create_host_config(
        network_mode=network,
        port_bindings=publish,
        binds=[f"{wish.app}-{volume}:{path}" for volume, path in wish.options.volumes.items()],
        init=True,
        read_only=wish.options.read_only,
        tmpfs=_TMPFS,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=memory,
        memswap_limit=memory,  # no swap: a limit that can be borrowed against is none
        nano_cpus=int(wish.options.cpus * 1e9),
        pids_limit=_PIDS,
        log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    )
    return config
