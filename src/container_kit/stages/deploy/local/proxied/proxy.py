"""HAProxy in front of an application: it holds the public port, so that no request fails during a version change.

A change writes its configuration and sends SIGUSR2 (HAProxy management guide, section 4): a new worker takes over the
listening sockets, and the old one finishes its requests before it exits. The configuration is the only record of the
active version.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.deploy.local.container import (
    APP_NETWORK_PREFIX,
    CANDIDATE_SUFFIX,
    PUBLIC_ADDRESS,
    RESTART_POLICY,
    AppContainer,
)
from container_kit.stages.deploy.local.containers import Containers, ensure_image
from container_kit.stages.docker.labels import APP, IMAGE, PORT, PROXY, of_container

if TYPE_CHECKING:
    from docker import APIClient

PROXY_NOT_FOUND = FaultCode(
    "deploy.proxy_not_found",
    means="Zero-downtime deployments need an HAProxy image, which neither exists nor can be built.",
    hint="Pull haproxy:lts, give the engine access to a Debian mirror, or deploy with zero_downtime=false (0.2 s gap).",
)
PROXY_FAILED = FaultCode(
    "deploy.proxy_failed",
    means="HAProxy did not load its new configuration. It was restarted for the previous version.",
    hint="Deploy again. If that fails too, see the proxy's log in the evidence, or deploy with zero_downtime=false.",
    retryable=True,
)

FAULTS = (PROXY_NOT_FOUND, PROXY_FAILED)

BUILT_IMAGE = "container-kit/haproxy:1"
_IMAGES = (BUILT_IMAGE, "haproxy:lts")
_DOCKERFILE = f"""FROM debian:bookworm-slim
LABEL {IMAGE}=haproxy
RUN apt-get update && apt-get install -y --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
"""
_FOLDER, _FILE = "/etc", "container-kit-haproxy.cfg"
LISTEN_PORT = 8080
"""The port that it listens on in its container."""
_NOBODY = "65534:65534"
_MASTER = "1"
_LIST_PROCESSES = "cat /proc/[0-9]*/stat 2>/dev/null"
"""Prints a line for each process: id, (name), state, parent, … (proc(5))."""
_DRAIN_SECONDS = 35.0
_RELOAD_SECONDS = 10.0
_RESTART_SECONDS = 20.0
_POLL_SECONDS = 0.1
_CONFIGURATION = """# serves {target}
global
  maxconn 4096
  stats socket /tmp/haproxy.sock level admin expose-fd listeners
  hard-stop-after 30s
defaults
  mode {mode}
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  timeout tunnel 1h
  timeout http-keep-alive 3s
  timeout queue 30s
  retries 5
  option redispatch
  {http_options}
resolvers engine
  parse-resolv-conf
  hold valid 5s
frontend public
  bind :8080
  default_backend app
backend app
{server}
"""
# Without the first option, a change closes idle connections just when their clients may use them again.
_HTTP_OPTIONS = "option idle-close-on-response\n  option forwardfor\n  http-reuse never"


def app_network(app: str) -> str:
    """Return the name of the network that connects an application to its proxy and services."""
    return APP_NETWORK_PREFIX + app


def network_alias(container: str) -> str:
    """Return a container's alias in that network; its own name may resolve to an address that cannot be reached."""
    return f"{container.removesuffix(CANDIDATE_SUFFIX)}.app"


async def find_image(containers: Containers) -> str:
    """Find or build an image with HAProxy.

    Raises:
        StageFailure: `deploy.proxy_not_found`, or a fault of the engine.
    """
    image = await containers.engine.call(lambda api: ensure_image(api, _IMAGES, BUILT_IMAGE, _DOCKERFILE))
    if image is None:
        raise PROXY_NOT_FOUND("no HAProxy image exists, and none could be built")
    return image


async def create(containers: Containers, image: str, labels: dict[str, str], target: AppContainer) -> str:
    """Start a proxy for a container on the staging network, at 127.0.0.2 until it joins the public network.

    Raises:
        StageFailure: A fault of the engine.
    """
    network, binding = containers.networks.staging, target.port
    new = ProxySpec(target.app, image, labels, network, binding)
    return await _start(containers, new, target)


async def create_published(
    containers: Containers, image: str, labels: dict[str, str], app: str, port: int, target: AppContainer | None = None
) -> str:
    """Start a proxy that holds a public port from its start. Without a target it answers 503.

    Raises:
        StageFailure: A fault of the engine, for example if the port is in use.
    """
    new = ProxySpec(app, image, labels, containers.networks.public, (PUBLIC_ADDRESS, port))
    return await _start(containers, new, target)


@dataclass(frozen=True, slots=True)
class ProxySpec:
    """A proxy to start."""

    app: str
    image: str
    labels: dict[str, str]
    network: str
    binding: int | tuple[str, int]
    """The public port, with its address unless the network has one."""

    @property
    def port(self) -> int:
        """The public port."""
        return self.binding if isinstance(self.binding, int) else self.binding[1]


async def _start(containers: Containers, new: ProxySpec, target: AppContainer | None) -> str:
    def work(api: APIClient) -> str:
        created = api.create_container(
            new.image,
            ["haproxy", "-W", "-db", "-f", f"{_FOLDER}/{_FILE}"],
            name=f"{new.app}-proxy-{secrets.token_hex(4)}",
            user=_NOBODY,
            labels=of_container({**new.labels, APP: new.app, PORT: str(new.port), PROXY: "haproxy"}),
            ports=[LISTEN_PORT],
            host_config=api.create_host_config(
                network_mode=new.network,
                port_bindings={LISTEN_PORT: new.binding},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit=128 << 20,
                pids_limit=64,
                restart_policy=RESTART_POLICY,
            ),
        )["Id"]
        try:
            api.connect_container_to_network(created, app_network(new.app))
            _write(api, created, target)
            api.start(created)
        except BaseException:
            api.remove_container(created, force=True)
            raise
        return str(created)

    return await containers.engine.call(work)


async def route_to(containers: Containers, proxy: str, target: AppContainer) -> None:
    """Send new requests to another container, and wait until the requests in progress have ended.

    Raises:
        StageFailure: `deploy.proxy_failed`, or a fault of the engine.
    """
    before = await _workers(containers, proxy)

    def work(api: APIClient) -> None:
        _write(api, proxy, target)
        api.kill(proxy, "SIGUSR2")

    await containers.engine.call(work)
    began = anyio.current_time()
    while anyio.current_time() - began < _DRAIN_SECONDS:
        now = await _workers(containers, proxy)
        if now and not now & before:
            return
        if not now - before and anyio.current_time() - began > _RELOAD_SECONDS:
            log = await containers.log_tail(proxy)
            raise PROXY_FAILED(
                f"the proxy of {target.app} kept its old worker", evidence=[Evidence(kind="log", text=log)]
            )
        await anyio.sleep(_POLL_SECONDS)


async def force_route_to(containers: Containers, proxy: str, target: AppContainer) -> None:
    """Send requests to another container; a proxy that hangs is restarted, which drops the requests in progress.

    Raises:
        StageFailure: `deploy.proxy_failed` if it does not restart, or a fault of the engine.
    """
    try:
        await route_to(containers, proxy, target)
    except StageFailure as failure:
        if failure.fault.code != PROXY_FAILED.code:
            raise
        await containers.engine.call(lambda api: api.restart(proxy, timeout=0))  # the configuration is written
        with anyio.move_on_after(_RESTART_SECONDS):
            while not await _workers(containers, proxy):  # noqa: ASYNC110 (another process starts)
                await anyio.sleep(_POLL_SECONDS)
            return
        raise


async def read_target(containers: Containers, proxy: str) -> str:
    """Return the alias of the container that a proxy serves; empty if it cannot be read."""

    def work(api: APIClient) -> str:
        stream, _ = api.get_archive(proxy, f"{_FOLDER}/{_FILE}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            file = tar.extractfile(_FILE)
            text = file.read().decode() if file else ""
        match = re.match(r"# serves (\S+)", text)
        return match[1] if match else ""

    try:
        return await containers.engine.call(work)
    except StageFailure:
        return ""


def _configuration(target: AppContainer | None) -> bytes:
    if target is None:
        return _CONFIGURATION.format(target="-", mode="http", http_options=_HTTP_OPTIONS, server="").encode()
    alias = network_alias(target.name)
    server = f"  server live {alias}:{target.container_port} resolvers engine init-addr libc,none"
    mode, options = ("http", _HTTP_OPTIONS) if target.probe == "http" else ("tcp", "")
    return _CONFIGURATION.format(target=alias, mode=mode, http_options=options, server=server).encode()


def _write(api: APIClient, proxy: str, target: AppContainer | None) -> None:
    data = _configuration(target)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(_FILE)
        entry.size, entry.mode = len(data), 0o644
        tar.addfile(entry, io.BytesIO(data))
    api.put_archive(proxy, _FOLDER, archive.getvalue())


async def _workers(containers: Containers, proxy: str) -> set[str]:
    """Return the ids of the workers inside a proxy's container. Podman's list of processes needs `ps` in the image."""
    listed = await containers.exec_output(proxy, "bash", "-c", _LIST_PROCESSES)
    rows = (line.split() for line in listed.splitlines())
    return {row[0] for row in rows if row[1:2] == ["(haproxy)"] and row[3:4] == [_MASTER]}
