"""Backing services of an application: containers on its network, with volumes that outlive them.

A service belongs to the application and not to a version: version changes and rollbacks do not touch it. Its password
is generated once and kept in a file that only its owner can read; the application receives it in a variable.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local.container import RESTART_POLICY
from container_kit.stages.deploy.local.containers import Containers, create_volume, ensure_image
from container_kit.stages.deploy.local.proxied import proxy
from container_kit.stages.deploy.local.services import passwords
from container_kit.stages.deploy.local.services.catalog import KINDS, ServiceSpec
from container_kit.stages.docker.labels import SERVICE_OF, of_container

if TYPE_CHECKING:
    from docker import APIClient

SERVICE_IMAGE_NOT_FOUND = FaultCode(
    "deploy.service_image_not_found",
    means="The image of a backing service neither exists nor can be built.",
    hint="Pull {image}, give the engine access to a Debian mirror, or run the service yourself and set {variable}.",
)
SERVICE_FAILED = FaultCode(
    "deploy.service_failed",
    means="A backing service did not become ready.",
    hint="Its log is in the evidence; `docker logs {container}` shows all of it.",
)

FAULTS = (SERVICE_IMAGE_NOT_FOUND, SERVICE_FAILED, *passwords.FAULTS)

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.1
_MEMORY = 512 << 20
_TMPFS = {"/tmp": "size=64m,mode=1777"}  # noqa: S108 (a path in the container)


async def start_services(
    ctx: StageContext, containers: Containers, app: str, kinds: tuple[ServiceSpec, ...]
) -> dict[ServiceSpec, str]:
    """Run services for an application, and wait until they are ready.

    Returns:
        The address of each, with its password.

    Raises:
        StageFailure: One of `FAULTS`, or a fault of the engine.
    """
    await containers.create_app_network(proxy.app_network(app))
    addresses = {}
    for kind in kinds:
        ctx.progress(f"starting {kind.name} for {app}", 0.05)
        addresses[kind] = kind.url(await _start_service(containers, app, kind))
    return addresses


async def _start_service(containers: Containers, app: str, kind: ServiceSpec) -> str:
    """Run one service and return its password."""
    name = f"{app}-{kind.name}"
    existing = await containers.inspect(name)
    if existing is not None and (existing["Config"].get("Labels") or {}).get(SERVICE_OF) != app:
        raise SERVICE_FAILED(f"another container has the name {name}", container=name)
    is_new = existing is None and name not in await containers.list_volumes(app)
    may_create = is_new or not kind.stores_password
    password = await anyio.to_thread.run_sync(passwords.get_or_create_password, name, may_create)
    if existing is None:
        image = await _image(containers, kind)
        await containers.engine.call(lambda api: _create(api, app, kind, image, password))
    if not ((existing or {}).get("State") or {}).get("Running"):
        await containers.start(name)
    await _wait_until_ready(containers, name, kind)
    return password


async def _image(containers: Containers, kind: ServiceSpec) -> str:
    image = await containers.engine.call(lambda api: ensure_image(api, kind.images, kind.images[-1], kind.dockerfile))
    if image is None:
        raise SERVICE_IMAGE_NOT_FOUND(
            f"no {kind.name} image exists, and none could be built", image=kind.images[0], variable=kind.variable
        )
    return image


def _create(api: APIClient, app: str, kind: ServiceSpec, image: str, password: str) -> None:
    name, network = f"{app}-{kind.name}", proxy.app_network(app)
    create_volume(api, app, name)
    config: dict[str, Any] = api.create_host_config(
        network_mode=network,
        binds=[f"{name}:{kind.data_folder}"],
        init=True,
        read_only=True,
        tmpfs=_TMPFS,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        mem_limit=_MEMORY,
        pids_limit=256,
        restart_policy=RESTART_POLICY,
        log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    )
    api.create_container(
        image,
        ["-ec", kind.start_script],
        entrypoint=["/bin/sh"],
        name=name,
        user=kind.user,
        environment={**kind.environment, kind.password_variable: password},
        labels=of_container({SERVICE_OF: app}),
        host_config=config,
        networking_config=api.create_networking_config({network: api.create_endpoint_config(aliases=[kind.name])}),
    )


async def _wait_until_ready(containers: Containers, name: str, kind: ServiceSpec) -> None:
    with anyio.move_on_after(_READY_SECONDS):
        while True:
            if await containers.engine.call(lambda api: _is_ready(api, name, kind)):
                return
            await anyio.sleep(_POLL_SECONDS)
    log = await containers.log_tail(name)
    raise SERVICE_FAILED(
        f"{name} was not ready within {_READY_SECONDS:g} s",
        evidence=[Evidence(kind="log", text=log[-4000:], where=name)],
        container=name,
    )


def _is_ready(api: APIClient, name: str, kind: ServiceSpec) -> bool:
    from docker.errors import APIError

    with suppress(APIError):  # it does not run yet, or no longer
        command = api.exec_create(name, list(kind.ready_command))["Id"]
        api.exec_start(command)
        return bool(api.exec_inspect(command)["ExitCode"] == 0)
    return False


async def remove(containers: Containers, app: str) -> list[str]:
    """Stop and remove an application's services and network, but not volumes and passwords.

    Returns:
        The names of the services.
    """

    def list_names(api: APIClient) -> list[str]:
        services = api.containers(all=True, filters={"label": f"{SERVICE_OF}={app}"})
        found = [service["Names"][0].lstrip("/") for service in services if service["Names"]]
        return [name for name in found if name in {f"{app}-{kind}" for kind in KINDS}]  # others only bring the label

    names = await containers.engine.call(list_names)
    for name in names:
        await containers.stop(name, 10)
        await containers.remove(name)
    await containers.remove_network(proxy.app_network(app))
    return names


async def delete_passwords(app: str) -> None:
    """Delete the passwords of services whose volumes were removed."""
    for kind in KINDS:
        await anyio.to_thread.run_sync(passwords.delete_password, f"{app}-{kind}")
