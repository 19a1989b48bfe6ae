"""HAProxy before an application: it holds the public port, so that versions change without one refused request.

A change writes its configuration and sends SIGUSR2 (HAProxy management guide, section 4): a new worker takes over the
listening sockets, the old one finishes what it has begun and then ends. The configuration is the one record of who is
served.
"""

from __future__ import annotations

import io
import re
import secrets
import tarfile
from typing import TYPE_CHECKING

import anyio

from container_kit.stages.artifacts.deployment import Probe
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.deploy.local.container import (
    APP,
    APP_NETWORK,
    CANDIDATE,
    PORT,
    PROXY,
    RESTART_POLICY,
    AppContainer,
)
from container_kit.stages.deploy.local.containers import Containers

if TYPE_CHECKING:
    from docker import APIClient

PROXY_MISSING = FaultCode(
    "deploy.proxy_missing",
    means="Deploying without a gap needs an image with HAProxy, and none is there or can be made.",
    hint="Pull haproxy:lts, or let the engine reach a Debian mirror, or deploy with zero_downtime=false (a gap of 0.2 s).",
)
PROXY_FAILED = FaultCode(
    "deploy.proxy_failed",
    means="HAProxy did not take over its new configuration; it was started anew for the version that served before.",
    hint="Deploy again; if that fails too, the proxy's log is in the evidence, and zero_downtime=false does without it.",
    retryable=True,
)

FAULTS = (PROXY_MISSING, PROXY_FAILED)

OWN_IMAGE = "container-kit/haproxy:1"
_IMAGES = (OWN_IMAGE, "haproxy:lts", "haproxy:lts-alpine")
_DOCKERFILE = b"""FROM debian:bookworm-slim
LABEL io.container-kit.image=haproxy
RUN apt-get update && apt-get install -y --no-install-recommends haproxy && rm -rf /var/lib/apt/lists/*
"""
_FOLDER, _FILE = "/etc", "container-kit-haproxy.cfg"
_LISTENS = 8080
_NOBODY = "65534:65534"
_DRAINED_WITHIN = 35.0
_TAKES_OVER_WITHIN = 10.0
_COMES_UP_WITHIN = 20.0
_LOOK_EVERY = 0.1
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
  nameserver dns 127.0.0.11:53
  hold valid 5s
frontend public
  bind :8080
  default_backend app
backend app
  server live {target}:{port} resolvers engine init-addr libc,none
"""
# Without the first, an idle connection is closed at a change, just when its client may use it again.
_HTTP_OPTIONS = "option idle-close-on-response\n  option forwardfor\n  http-reuse never"


def network(app: str) -> str:
    """The network where an application meets its proxy and its services."""
    return APP_NETWORK + app


def alias(container: str) -> str:
    """The name of a container in that network alone; its own name may lead to one where it cannot be reached."""
    return f"{container.removesuffix(CANDIDATE)}.app"


async def make_image(containers: Containers) -> str:
    """Find or build an image with HAProxy.

    Raises:
        StageFailure: `deploy.proxy_missing`, or the engine's.
    """

    def work(api: APIClient) -> str | None:
        there = {tag for image in api.images() for tag in image.get("RepoTags") or ()}
        if found := next((image for image in _IMAGES if image in there), None):
            return found
        said = list(api.build(fileobj=io.BytesIO(_DOCKERFILE), tag=OWN_IMAGE, rm=True, forcerm=True, decode=True))
        return OWN_IMAGE if not any("error" in line for line in said) else None

    if (image := await containers.engine.call(work)) is None:
        raise PROXY_MISSING("there is no image with HAProxy, and none could be built")
    return image


async def create(containers: Containers, image: str, labels: dict[str, str], target: AppContainer) -> str:
    """Start a proxy for a container on the `out` network: reached at 127.0.0.2 until it joins `front`.

    Returns:
        The proxy's id.
    """
    port, out = target.port, containers.networks.out

    def work(api: APIClient) -> str:
        created = api.create_container(
            image,
            ["haproxy", "-W", "-db", "-f", f"{_FOLDER}/{_FILE}"],
            name=f"{target.app}-proxy-{secrets.token_hex(4)}",
            user=_NOBODY,
            labels={**labels, APP: target.app, PORT: str(port), PROXY: "haproxy"},
            ports=[_LISTENS],
            host_config=api.create_host_config(
                network_mode=out,
                port_bindings={_LISTENS: port},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                mem_limit=128 << 20,
                pids_limit=64,
                restart_policy=RESTART_POLICY,
            ),
        )["Id"]
        api.connect_container_to_network(created, network(target.app))
        _write(api, created, target)
        api.start(created)
        return str(created)

    return await containers.engine.call(work)


async def point(containers: Containers, proxy: str, target: AppContainer) -> None:
    """Send new requests to another container, and wait until those that were begun have ended.

    Raises:
        StageFailure: `deploy.proxy_failed`, or the engine's.
    """
    before = await containers.engine.call(lambda api: _workers(api, proxy))

    def work(api: APIClient) -> None:
        _write(api, proxy, target)
        api.kill(proxy, "SIGUSR2")

    await containers.engine.call(work)
    began = anyio.current_time()
    while anyio.current_time() - began < _DRAINED_WITHIN:
        now = await containers.engine.call(lambda api: _workers(api, proxy))
        if now and not now & before:
            return
        if not now - before and anyio.current_time() - began > _TAKES_OVER_WITHIN:
            log = await containers.log_tail(proxy)
            raise PROXY_FAILED(
                f"the proxy of {target.app} kept its old worker", evidence=[Evidence(kind="log", text=log)]
            )
        await anyio.sleep(_LOOK_EVERY)


async def point_back(containers: Containers, proxy: str, target: AppContainer) -> None:
    """Send requests to a container that must serve again: a proxy that hangs is started anew, and drops what it holds.

    Raises:
        StageFailure: The engine's, or `deploy.proxy_failed` where it does not come up.
    """
    try:
        await point(containers, proxy, target)
    except StageFailure as failure:
        if failure.fault.code != PROXY_FAILED.code:
            raise
        await containers.engine.call(lambda api: api.restart(proxy, timeout=0))  # the configuration is written
        with anyio.move_on_after(_COMES_UP_WITHIN):
            while not await containers.engine.call(lambda api: _workers(api, proxy)):  # noqa: ASYNC110 (another process starts)
                await anyio.sleep(_LOOK_EVERY)
            return
        raise


async def target_of(containers: Containers, proxy: str) -> str:
    """The alias of the container that a proxy serves; empty where none is told."""

    def work(api: APIClient) -> str:
        stream, _ = api.get_archive(proxy, f"{_FOLDER}/{_FILE}")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            file = tar.extractfile(_FILE)
            text = file.read().decode() if file else ""
        found = re.match(r"# serves (\S+)", text)
        return found[1] if found else ""

    try:
        return await containers.engine.call(work)
    except StageFailure:
        return ""


def _configuration(target: str, port: int, kind: Probe) -> str:
    mode, options = ("http", _HTTP_OPTIONS) if kind == "http" else ("tcp", "")
    return _CONFIGURATION.format(target=target, port=port, mode=mode, http_options=options)


def _write(api: APIClient, proxy: str, target: AppContainer) -> None:
    data = _configuration(alias(target.name), target.container_port, target.probe).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(_FILE)
        entry.size, entry.mode = len(data), 0o644
        tar.addfile(entry, io.BytesIO(data))
    api.put_archive(proxy, _FOLDER, out.getvalue())


def _workers(api: APIClient, proxy: str) -> set[str]:
    master = str(api.inspect_container(proxy)["State"]["Pid"])
    listed = api.top(proxy)
    pid = listed["Titles"].index("PID")
    return {row[pid] for row in listed["Processes"] if row[pid] != master}
