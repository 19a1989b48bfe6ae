"""Waiting until a container has proved itself, or telling why it will not."""

from __future__ import annotations

import anyio

from container_kit.stages.contract.fault import FaultCode, NextAction, StageFailure
from container_kit.stages.deploy.local import diagnose, probe
from container_kit.stages.deploy.local.container import STAGING, AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.spec import ContainerSpec

PORT_UNKNOWN = FaultCode(
    "deploy.port_unknown",
    means="Nothing tells on which port the application listens.",
    hint="Give container_port, or EXPOSE it in the Dockerfile; seen open: {seen}.",
)

FAULTS = (PORT_UNKNOWN, *diagnose.FAULTS)

_BETWEEN = 0.01
_PROOF = 0.02
"""Seconds between the first good answer and the second, which proves that the first was no flash in the pan."""
_STATE_EVERY = 0.2
_LOOK_EVERY = 1.0
_MISPLACED_LOOKS = 4
"""How many looks in a row must find other ports open and not the right one, before that is the application's choice."""


async def healthy(containers: Containers, container: str, wish: ContainerSpec, address: str, port: int) -> float:
    """Wait until a container answers twice in a row on a port of this machine and still runs.

    Returns:
        Seconds until the first good answer.

    Raises:
        StageFailure: One of `diagnose.FAULTS`, as soon as it is certain.
    """
    began = anyio.current_time()
    last = probe.ProbeResult(False, "nothing was asked yet")
    find_wrong_port, looks_at, state_at = 0, began + _LOOK_EVERY, began + _STATE_EVERY
    while anyio.current_time() - began < wish.options.health_timeout:
        last = await probe.ask(address, port, wish.options.probe, wish.health_path)
        if last.healthy:
            seconds = anyio.current_time() - began
            await anyio.sleep(_PROOF)
            last = await probe.ask(address, port, wish.options.probe, wish.health_path)
        if last.healthy or anyio.current_time() >= state_at:
            await _still_runs(containers, container, wish)
            state_at = anyio.current_time() + _STATE_EVERY
        if last.healthy:
            return seconds
        if last.status is None and anyio.current_time() >= looks_at:
            fault = await _misplaced(containers, container, wish)
            find_wrong_port, looks_at = (find_wrong_port + 1 if fault else 0), anyio.current_time() + _LOOK_EVERY
            if fault and find_wrong_port >= _MISPLACED_LOOKS:
                raise fault
        await anyio.sleep(_BETWEEN)
    seen = await diagnose.scene(containers, container, wish)
    ports = await diagnose.open_ports(containers, seen)
    raise diagnose.find_wrong_port(seen, ports) or diagnose.unhealthy(seen, ports, last)


async def detect_port(containers: Containers, container: str, wish: ContainerSpec) -> int:
    """Find the one port that a running container listens on.

    Raises:
        StageFailure: `deploy.port_unknown` where it listens on none or on several; the reason why it ended.
    """
    began, before = anyio.current_time(), set[int]()
    while anyio.current_time() - began < wish.options.health_timeout:
        await _still_runs(containers, container, wish)
        seen = await diagnose.scene(containers, container, wish)
        ports = await diagnose.open_ports(containers, seen)
        if ports is None:
            break
        now = {one.port for one in ports if not one.loopback}
        if now and now == before:
            return now.pop() if len(now) == 1 else _several(wish, now)
        before = now
        await anyio.sleep(_LOOK_EVERY)
    seen = await diagnose.scene(containers, container, wish)
    action = diagnose.anew("EXPOSE the port in the Dockerfile, or add container_port")
    said = f"nothing tells on which port {wish.app} listens"
    raise PORT_UNKNOWN(said, evidence=seen.evidence(), next_actions=[action], seen="none")


def _several(wish: ContainerSpec, ports: set[int]) -> int:
    open_ones = ", ".join(map(str, sorted(ports)))
    actions = [NextAction(why=f"Publish {port}", arguments={"container_port": port}) for port in sorted(ports)]
    raise PORT_UNKNOWN(f"{wish.app} listens on {open_ones}", next_actions=actions, seen=open_ones)


async def _misplaced(containers: Containers, container: str, wish: ContainerSpec) -> StageFailure | None:
    seen = await diagnose.scene(containers, container, wish)
    return diagnose.find_wrong_port(seen, await diagnose.open_ports(containers, seen))


async def _still_runs(containers: Containers, container: str, wish: ContainerSpec) -> None:
    details = await containers.inspect(container)
    if not ((details or {}).get("State") or {}).get("Running"):
        raise diagnose.ended(await diagnose.scene(containers, container, wish))


async def answers(containers: Containers, found: AppContainer, port: int) -> bool:
    """Wait until a container that was proved before answers on `127.0.0.2:port`; False where it ended."""
    while not (await probe.ask(STAGING, port, found.probe, found.health_path)).healthy:
        details = await containers.inspect(found.id)
        if not ((details or {}).get("State") or {}).get("Running"):
            return False
        await anyio.sleep(_BETWEEN / 2)
    return True
