"""Services beside an application: started on its own network, with a volume that outlives them, asked until ready.

A service belongs to the application and not to a version: it is left as it is when versions change or are taken back.
Its password is generated once and kept in a file that only its owner can read; the application gets it in a variable.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from container_kit.stages.contract.fault import Evidence, FaultCode
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.deploy.local import proxy
from container_kit.stages.deploy.local.container import APP, RESTART_POLICY, SERVICE
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.services import passwords
from container_kit.stages.deploy.local.services.catalog import KINDS, ServiceSpec

if TYPE_CHECKING:
    from docker import APIClient

SERVICE_IMAGE = FaultCode(
    "deploy.service_image_missing",
    means="A service beside the application needs an image, and none is there or can be made.",
    hint="Pull {image}, or let the engine reach a Debian mirror, or run the service yourself and give {variable}.",
)
SERVICE_FAILED = FaultCode(
    "deploy.service_failed",
    means="A service beside the application did not become ready.",
    hint="Its log is in the evidence; `docker logs {container}` shows all of it.",
)

FAULTS = (SERVICE_IMAGE, SERVICE_FAILED, *passwords.FAULTS)

_READY_WITHIN = 60.0
_ASK_EVERY = 0.1
_MEMORY = 512 << 20
_TMPFS = {"/tmp": "size=64m,mode=1777"}  # noqa: S108 (a path in the container)


async def bring_up(
    ctx: StageContext, containers: Containers, app: str, kinds: tuple[ServiceSpec, ...]
) -> dict[ServiceSpec, str]:
    """Have services run beside an application.

    Returns:
        The address of each, with its password in it.

    Raises:
        StageFailure: One of `FAULTS`, or the engine's.
    """
    await containers.make_app_network(proxy.network(app))
    addresses = {}
    for kind in kinds:
        ctx.progress(f"bringing up {kind.name} beside {app}", 0.05)
        addresses[kind] = kind.url(await _one(containers, app, kind))
    return addresses


async def _one(containers: Containers, app: str, kind: ServiceSpec) -> str:
    name = f"{app}-{kind.name}"
    there = await containers.inspect(name)
    if there is not None and (there["Config"].get("Labels") or {}).get(SERVICE) != app:
        raise SERVICE_FAILED(f"another container is called {name}", container=name)
    fresh = there is None and name not in await containers.volumes(app)
    password = await anyio.to_thread.run_sync(passwords.kept, name, fresh or not kind.keeps_password)
    if there is None:
        image = await _image(containers, kind)
        await containers.engine.call(lambda api: _create(api, app, kind, image, password))
    if not ((there or {}).get("State") or {}).get("Running"):
        await containers.start(name)
    await _ready(containers, name, kind)
    return password


async def _image(containers: Containers, kind: ServiceSpec) -> str:
    def work(api: APIClient) -> str | None:
        there = {tag for image in api.images() for tag in image.get("RepoTags") or ()}
        if found := next((image for image in kind.images if image in there), None):
            return found
        own, recipe = kind.images[-1], io.BytesIO(kind.dockerfile.encode())
        said = list(api.build(fileobj=recipe, tag=own, rm=True, forcerm=True, decode=True))
        return own if not any("error" in line for line in said) else None

    image = await containers.engine.call(work)
    if image is None:
        raise SERVICE_IMAGE(
            f"there is no image of {kind.name}, and none could be built", image=kind.images[0], variable=kind.variable
        )
    return image


def _create(api: APIClient, app: str, kind: ServiceSpec, image: str, password: str) -> None:
    name, network = f"{app}-{kind.name}", proxy.network(app)
    api.create_volume(name, labels={APP: app})
    config: dict[str, Any] = api.create_host_config(
        network_mode=network,
        binds=[f"{name}:{kind.data}"],
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
        ["-ec", kind.start],
        entrypoint=["/bin/sh"],
        name=name,
        user=kind.user,
        environment={**kind.environment, kind.password: password},
        labels={SERVICE: app},
        host_config=config,
        networking_config=api.create_networking_config({network: api.create_endpoint_config(aliases=[kind.name])}),
    )


async def _ready(containers: Containers, name: str, kind: ServiceSpec) -> None:
    with anyio.move_on_after(_READY_WITHIN):
        while True:
            if await containers.engine.call(lambda api: _asked(api, name, kind)):
                return
            await anyio.sleep(_ASK_EVERY)
    log = await containers.log_tail(name)
    raise SERVICE_FAILED(
        f"{name} was not ready within {_READY_WITHIN:g} s",
        evidence=[Evidence(kind="log", text=log[-4000:], where=name)],
        container=name,
    )


def _asked(api: APIClient, name: str, kind: ServiceSpec) -> bool:
    from docker.errors import APIError

    with suppress(APIError):  # it is not running yet, or not any more
        command = api.exec_create(name, list(kind.ask))["Id"]
        api.exec_start(command)
        return bool(api.exec_inspect(command)["ExitCode"] == 0)
    return False


async def remove(containers: Containers, app: str) -> list[str]:
    """Stop and remove an application's services and network; volumes and passwords stay. Gives the services' names."""

    def listed(api: APIClient) -> list[str]:
        found = api.containers(all=True, filters={"label": f"{SERVICE}={app}"})
        return [one["Names"][0].lstrip("/") for one in found]

    names = await containers.engine.call(listed)
    for name in names:
        await containers.stop(name, 10)
        await containers.remove(name)
    await containers.remove_network(proxy.network(app))
    return names


async def forget(app: str) -> None:
    """Delete the passwords of services whose volumes are gone."""
    for kind in KINDS:
        await anyio.to_thread.run_sync(passwords.forget, f"{app}-{kind}")
