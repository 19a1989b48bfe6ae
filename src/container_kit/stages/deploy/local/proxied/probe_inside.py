"""Probes from inside the engine: the proxy sends them, so that no address of the engine must be reachable from here."""

from __future__ import annotations

import base64
import binascii

from container_kit.stages.artifacts.deployment import Probe
from container_kit.stages.deploy.local.container import (
    APP_NETWORK_PREFIX,
    PUBLIC_ADDRESS,
    STAGING_ADDRESS,
    AppContainer,
)
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.probe import (
    TCP_OPEN_SECONDS,
    TIMEOUT,
    ProbeResult,
    Send,
    probe_address,
    read_answer,
    request,
)
from container_kit.stages.deploy.local.proxied.proxy import LISTEN_PORT, network_alias

# $0 is the host, $1 the port, $2 the request. The proxy's image has bash and coreutils, but no HTTP client.
_CONNECT = 'exec 3<>"/dev/tcp/$0/$1" || { echo refused; exit; }; echo connected; '
_HTTP = _CONNECT + 'printf %s "$2" >&3; echo "answer $(head -c 4096 <&3 | base64 -w0)"'
_TCP = _CONNECT + (
    f"read -r -t {TCP_OPEN_SECONDS} -N 1 -u 3; code=$?; "
    "if [ $code -gt 128 ]; then echo open; elif [ $code = 0 ]; then echo greeted; else echo closed; fi"
)


def probe_through(containers: Containers, proxy: str, host: str, port: int) -> Send:
    """Return a function that probes a host and port that a proxy reaches."""

    async def send(kind: Probe, path: str) -> ProbeResult:
        script = [_HTTP, host, str(port), request(port, path)] if kind == "http" else [_TCP, host, str(port)]
        output = await containers.exec_output(proxy, "timeout", f"{TIMEOUT:g}", "bash", "-c", *script)
        return _result(output.splitlines())

    return send


async def probe_staged(containers: Containers, container: str, port: int, proxy: str | None) -> Send:
    """Return a function that probes a container in staging: through a proxy, or at 127.0.0.2 if it is None."""
    if proxy is None:
        return probe_address(STAGING_ADDRESS, await containers.staging_port(container, port))
    return probe_through(containers, proxy, await _address(containers, container), port)


async def _address(containers: Containers, container: str) -> str:
    """Return a container's address in the network of its proxy; its alias may not be known to the engine's DNS yet."""
    details = await containers.inspect(container) or {}
    networks = ((details.get("NetworkSettings") or {}).get("Networks") or {}).items()
    addresses = [network.get("IPAddress") for name, network in networks if name.startswith(APP_NETWORK_PREFIX)]
    return next(filter(None, addresses), None) or network_alias(str(details.get("Name", "")).lstrip("/"))


async def probe_public(containers: Containers, version: AppContainer) -> Send:
    """Return a function that probes the public port of an application: inside its proxy if this machine cannot."""
    holders = containers.port_holders(await containers.list_app(version.app))
    holder = next((c for c in holders if c.is_proxy and c.port == version.port), None)
    if holder is None or await containers.can_swap():
        return probe_address(PUBLIC_ADDRESS, version.port)
    return probe_through(containers, holder.id, PUBLIC_ADDRESS, LISTEN_PORT)


def _result(lines: list[str]) -> ProbeResult:
    if not lines:
        return ProbeResult(False, "the probe could not run in the proxy")
    word, _, data = lines[-1].partition(" ")
    if word == "answer":
        try:
            return read_answer(base64.b64decode(data))
        except binascii.Error:
            return ProbeResult(False, "the answer could not be read")
    return _RESULTS.get(word, ProbeResult(False, "connection refused or reset"))


_RESULTS = {
    "connected": ProbeResult(False, f"no answer within {TIMEOUT:g} s"),
    "open": ProbeResult(True, "the connection was accepted"),
    "greeted": ProbeResult(True, "the connection was accepted and greeted"),
    "closed": ProbeResult(False, "the connection was closed immediately"),
}
