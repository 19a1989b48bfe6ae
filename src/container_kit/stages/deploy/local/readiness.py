"""Waits until a container is healthy, or explains why it will not become healthy."""

from __future__ import annotations

import anyio

from container_kit.stages.contract.fault import NextAction, StageFailure
from container_kit.stages.deploy.faults import PORT_NOT_FOUND
from container_kit.stages.deploy.local import diagnose, probe
from container_kit.stages.deploy.local.container import AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.spec import ContainerSpec

FAULTS = (PORT_NOT_FOUND, *diagnose.FAULTS)

_PROBE_INTERVAL = 0.01
_CONFIRM_SECONDS = 0.02
"""Seconds between the first healthy answer and the second, which confirms it."""
_STATE_INTERVAL = 0.2
_NEXT_EXIT_SECONDS = 5.0
_PORTS_INTERVAL = 1.0
_WRONG_PORT_CHECKS = 4
"""How many checks in a row must find only other ports open, before the application counts as listening there."""


async def wait_until_healthy(containers: Containers, container: str, spec: ContainerSpec, send: probe.Send) -> float:
    """Wait until a container answers twice in a row and still runs.

    Args:
        send: Probes the container.

    Returns:
        Seconds until the first healthy answer.

    Raises:
        StageFailure: One of `diagnose.FAULTS`, as soon as it is certain.
    """
    began = anyio.current_time()
    last = probe.ProbeResult(False, "not probed yet")
    wrong_port_checks, ports_due, state_due = 0, began + _PORTS_INTERVAL, began + _STATE_INTERVAL
    while anyio.current_time() - began < spec.options.health_timeout:
        last = await send(spec.options.probe, spec.health_path)
        if last.healthy:
            seconds = anyio.current_time() - began
            await anyio.sleep(_CONFIRM_SECONDS)
            last = await send(spec.options.probe, spec.health_path)
        if last.healthy or anyio.current_time() >= state_due:
            await _require_running(containers, container, spec)
            state_due = anyio.current_time() + _STATE_INTERVAL
        if last.healthy:
            return seconds
        if last.status is None and anyio.current_time() >= ports_due:
            fault = await _wrong_port(containers, container, spec)
            wrong_port_checks = wrong_port_checks + 1 if fault else 0
            ports_due = anyio.current_time() + _PORTS_INTERVAL
            if fault and wrong_port_checks >= _WRONG_PORT_CHECKS:
                raise fault
        await anyio.sleep(_PROBE_INTERVAL)
    snapshot = await diagnose.take_snapshot(containers, container, spec)
    ports = await diagnose.open_ports(containers, snapshot)
    raise diagnose.wrong_port(snapshot, ports) or diagnose.unhealthy(snapshot, ports, last)


async def detect_port(containers: Containers, container: str, spec: ContainerSpec) -> int:
    """Find the only port that a running container listens on.

    Raises:
        StageFailure: `deploy.port_not_found` if it listens on none or on several; the reason why it exited.
    """
    began, before = anyio.current_time(), set[int]()
    while anyio.current_time() - began < spec.options.health_timeout:
        await _require_running(containers, container, spec)
        snapshot = await diagnose.take_snapshot(containers, container, spec)
        ports = await diagnose.open_ports(containers, snapshot)
        if ports is None:
            break
        now = {listener.port for listener in ports if not listener.loopback}
        if now and now == before:
            return now.pop() if len(now) == 1 else _several(spec, now)
        before = now
        await anyio.sleep(_PORTS_INTERVAL)
    snapshot = await diagnose.take_snapshot(containers, container, spec)
    action = diagnose.redeploy_action("EXPOSE the port in the Dockerfile, or add container_port")
    message = f"the port that {spec.app} listens on is not known"
    evidence = snapshot.evidence()
    raise PORT_NOT_FOUND(message, evidence=evidence, next_actions=[action], option="container_port", open="none")


def _several(spec: ContainerSpec, ports: set[int]) -> int:
    listing = ", ".join(map(str, sorted(ports)))
    actions = [NextAction(why=f"Publish {port}", arguments={"container_port": port}) for port in sorted(ports)]
    message = f"{spec.app} listens on {listing}"
    raise PORT_NOT_FOUND(message, next_actions=actions, option="container_port", open=listing)


async def _wrong_port(containers: Containers, container: str, spec: ContainerSpec) -> StageFailure | None:
    snapshot = await diagnose.take_snapshot(containers, container, spec)
    return diagnose.wrong_port(snapshot, await diagnose.open_ports(containers, snapshot))


async def _require_running(containers: Containers, container: str, spec: ContainerSpec) -> None:
    details = await containers.inspect(container) or {}
    running, restarted = (details.get("State") or {}).get("Running"), details.get("RestartCount")
    if running and not restarted:
        return
    with anyio.move_on_after(_NEXT_EXIT_SECONDS):  # between two restarts, the engine reports the exit code
        while running:
            await anyio.sleep(_PROBE_INTERVAL)
            running = await _is_running(containers, container)
    raise diagnose.exited(await diagnose.take_snapshot(containers, container, spec))


async def _is_running(containers: Containers, container: str) -> bool:
    details = await containers.inspect(container) or {}
    return bool((details.get("State") or {}).get("Running"))


async def wait_until_answering(containers: Containers, container: AppContainer, send: probe.Send) -> bool:
    """Wait until a kept version answers to `send`; False if it exited."""
    while not (await send(container.probe, container.health_path)).healthy:
        if not await _is_running(containers, container.id):
            return False
        await anyio.sleep(_PROBE_INTERVAL / 2)
    return True
