"""Creation of the container of a new version: hardened by default, labelled, not yet served."""

from __future__ import annotations

import secrets
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import diagnose
from container_kit.stages.deploy.local.container import CANDIDATE_SUFFIX, RESTART_POLICY
from container_kit.stages.deploy.local.containers import VOLUME_FOREIGN, Containers, create_volume, volume_name
from container_kit.stages.deploy.local.ports import find_holder, free_port
from container_kit.stages.deploy.local.proxied import proxy
from container_kit.stages.deploy.local.spec import ContainerSpec
from container_kit.stages.docker import labels
from container_kit.stages.docker.images import IMAGE_NOT_FOUND, not_found

if TYPE_CHECKING:
    from docker import APIClient

PORT_IN_USE = FaultCode(
    "deploy.port_in_use",
    means="Another process or container on this machine uses the port.",
    hint="Deploy with port={free}, which is free, or stop what uses the port.",
)

FAULTS = (IMAGE_NOT_FOUND, PORT_IN_USE, VOLUME_FOREIGN)

_TMPFS = {"/tmp": "size=64m,mode=1777"}  # noqa: S108 (a path in the container)
_PIDS = 256
_SHELL = re.compile(r"[$`|&;<>()*?~\n]")
"""Characters that only a shell understands."""


async def start(ctx: StageContext, containers: Containers, spec: ContainerSpec, port: int | None, network: str) -> str:
    """Create the container and start it.

    Args:
        port: The public port, which the engine publishes on the network's address; None publishes nothing.
        network: The staging network, or the public one for the first version of an application.

    Returns:
        The container's id.

    Raises:
        StageFailure: One of `FAULTS`, of `diagnose.FAULTS` if the process cannot be started, or of the engine.
    """
    published = port is not None and (not spec.options.zero_downtime or await containers.can_swap())
    policy = None if await containers.can_update() else RESTART_POLICY  # set once the version is healthy, if possible
    try:
        created = await containers.engine.call(
            lambda api: _create(api, ctx, network, spec, port, published=published, policy=policy)
        )
    except StageFailure as failure:
        if "no such image" in _text(failure).lower():
            raise not_found(spec.image, containers.engine.host) from failure
        raise
    try:
        await containers.with_networks(lambda: containers.start(created))
    except StageFailure as failure:
        if port is not None and is_port_conflict(failure):
            raise await port_in_use(containers, spec.app, port) from failure
        raise diagnose.start_failed(failure, spec) from failure
    return created


def is_port_conflict(failure: StageFailure) -> bool:
    """Return whether the engine could not publish a port because it is in use."""
    return re.search("port is already allocated|address already in use", _text(failure)) is not None


async def port_in_use(containers: Containers, app: str, port: int) -> StageFailure:
    """Return the fault of a port in use: the process or container that uses it, and a free port."""
    publisher = await containers.engine.call(lambda api: _publisher(api, port))
    holder = f"container {publisher}" if publisher else find_holder(port)
    free = free_port(app, taken=[port])
    return PORT_IN_USE(
        f"port {port} is in use by {holder or 'another process'}",
        evidence=[Evidence(kind="value", text=holder)] if holder else (),
        next_actions=[NextAction(why=f"Port {free} is free", arguments={"port": free})],
        free=free,
    )


def _text(failure: StageFailure) -> str:
    return " ".join([failure.fault.message, *(evidence.text for evidence in failure.fault.evidence)])


def _publisher(api: APIClient, port: int) -> str | None:
    for container in api.containers():
        if any(binding.get("PublicPort") == port for binding in container.get("Ports") or ()):
            return str(container["Names"][0]).lstrip("/")
    return None


def _create(
    api: APIClient,
    ctx: StageContext,
    network: str,
    spec: ContainerSpec,
    port: int | None,
    *,
    published: bool,
    policy: dict[str, Any] | None,
) -> str:
    # Behind a proxy, the probe can use any free port of 127.0.0.2, if this machine has it.
    has_port = published and spec.container_port is not None
    publish = {spec.container_port: None if spec.options.zero_downtime else port} if has_port else {}
    volumes = create_volumes(api, spec)
    name = f"{spec.app}-{secrets.token_hex(4)}{CANDIDATE_SUFFIX}"
    created = api.create_container(
        _reference(api, spec),
        name=name,
        command=_command(spec.options.start_command),
        user=spec.user,
        environment=dict(spec.env),
        labels=_labels(ctx, spec, port),
        ports=list(publish),
        volumes=writable_folders(spec),
        host_config=host_config(api, network, spec, publish, volumes) | {"RestartPolicy": policy},
    )
    if spec.options.zero_downtime or spec.services:
        aliases = [proxy.network_alias(name)]
        api.connect_container_to_network(created["Id"], proxy.app_network(spec.app), aliases=aliases)
    return str(created["Id"])


def _command(text: str | None) -> list[str] | None:
    """Return the arguments that replace CMD; None keeps it."""
    if text is None:
        return None
    return ["sh", "-c", text] if _SHELL.search(text) else shlex.split(text)


def _labels(ctx: StageContext, spec: ContainerSpec, port: int | None) -> dict[str, str]:
    own = {
        **labels.run_labels(ctx),
        labels.APP: spec.app,
        labels.IMAGE: spec.image,
        labels.PROBE: spec.options.probe,
        labels.HEALTH_PATH: spec.health_path,
        labels.PORT: str(port or ""),
        labels.SPECIFICATION: spec.digest,
        labels.CONTAINER_PORT: str(spec.container_port or ""),
        **({labels.ZERO_DOWNTIME: "haproxy"} if spec.options.zero_downtime else {}),
        **({labels.SERVICES: ",".join(kind.name for kind, _ in spec.services)} if spec.services else {}),
    }
    return labels.of_container(own)


def _reference(api: APIClient, spec: ContainerSpec) -> str:
    """Return the image's name, which `docker ps` then shows, if it still names the requested image; else the id."""
    from docker.errors import ImageNotFound

    with suppress(ImageNotFound):
        if not spec.image_id or api.inspect_image(spec.image)["Id"] == spec.image_id:
            return spec.image
    return spec.image_id or spec.image


def create_volumes(api: APIClient, spec: ContainerSpec) -> dict[str, str]:
    """Create the named volumes of a version, and return their names on the engine with their paths."""
    volumes = {volume_name(api, spec.app, volume): path for volume, path in spec.volumes.items()}
    for volume in volumes:
        create_volume(api, spec.app, volume)
    return volumes


def writable_folders(spec: ContainerSpec) -> list[str]:
    """Return the folders that get a volume of the container, which starts with the image's content."""
    needed = spec.writable and spec.options.read_only and spec.writable not in spec.volumes.values()
    return [spec.writable] if needed and spec.writable else []


def host_config(
    api: APIClient,
    network: str,
    spec: ContainerSpec,
    publish: dict[int | None, int | None],
    volumes: dict[str, str],
) -> dict[str, Any]:
    """Return the limits and the mounts of a container of a version."""
    memory = spec.options.memory_mb << 20
    config: dict[str, Any] = api.create_host_config(
        network_mode=network,
        port_bindings=publish,
        binds=[f"{volume}:{path}" for volume, path in volumes.items()],
        init=True,
        read_only=spec.options.read_only,
        tmpfs=_TMPFS,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=memory,
        memswap_limit=memory,  # no swap
        nano_cpus=int(spec.options.cpus * 1e9),
        pids_limit=_PIDS,
        log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    )
    return config
