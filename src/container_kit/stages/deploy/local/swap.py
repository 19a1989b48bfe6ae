"""The change of hands: the old version leaves the public port and the new one takes it, in a tenth of a second."""

from __future__ import annotations

import anyio

from container_kit.stages.artifacts.deployment import Probe
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.deploy.local import probe
from container_kit.stages.deploy.local.container import PUBLIC, AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.ports import can_listen

SWAP_FAILED = FaultCode(
    "deploy.swap_failed",
    means="The new version was healthy beside the old one, but not on the public port; the old one was put back.",
    hint="Deploy again; if it fails the same way, the evidence shows what the public port answered.",
    retryable=True,
)

_LOOK_EVERY = 0.002
_FREE_WITHIN = 5.0
_PAUSE = 0.02
_ANSWERS_WITHIN = 5.0


async def swap(containers: Containers, old: AppContainer | None, old_port: int, new: str) -> float:
    """Let `new` take the place of `old` on the public side. Not to be cancelled half-way; `revert` undoes it.

    Returns:
        Seconds from the old version's leaving to the new one's arrival.

    Raises:
        StageFailure: The engine's, where one could not leave or the other could not join.
    """
    front = containers.networks.front
    if old is None:
        await containers.connect(new, front)
        return 0.0
    # Otherwise its port mapping would fall back to another network's address, perhaps that of the new one.
    for network in old.networks - {front}:
        await containers.disconnect(old.id, network)
    began = anyio.current_time()
    failures: list[StageFailure] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_leave, containers, old.id, failures)
        # Leaving goes on for a while after the port is free. A join before that would fail and spoil the container.
        await _freed(old_port)
        await _join(containers, new, failures)
    if failures:
        raise failures[0]
    return anyio.current_time() - began


async def revert(containers: Containers, old: AppContainer | None, new: str) -> None:
    """Put the old version back on the port."""
    if await containers.inspect(new) is not None:
        await containers.disconnect(new, containers.networks.front)
    if old is not None:
        await containers.connect(old.id, containers.networks.front)
        for network in old.networks:
            await containers.connect(old.id, network)


async def settled(app: str, port: int, kind: Probe, path: str) -> None:
    """Ask on the public port until it answers well, for a few seconds.

    Raises:
        StageFailure: `deploy.swap_failed`.
    """
    deadline = anyio.current_time() + _ANSWERS_WITHIN
    while not (last := await probe.ask(PUBLIC, port, kind, path)).healthy:
        if anyio.current_time() > deadline:
            evidence = [Evidence(kind="http", text=last.says, where=f"{PUBLIC}:{port}")]
            raise SWAP_FAILED(f"{app} did not answer on port {port} after the swap: {last.says}", evidence=evidence)
        await anyio.sleep(_PAUSE)


async def _freed(port: int) -> None:
    with anyio.move_on_after(_FREE_WITHIN):
        while not can_listen(PUBLIC, port):  # noqa: ASYNC110 (another process frees it)
            await anyio.sleep(_LOOK_EVERY)


async def _leave(containers: Containers, old: str, failures: list[StageFailure]) -> None:
    try:
        await containers.disconnect(old, containers.networks.front)
    except StageFailure as failure:
        failures.append(failure)


async def _join(containers: Containers, new: str, failures: list[StageFailure]) -> None:
    try:
        await containers.connect(new, containers.networks.front)
    except StageFailure as failure:
        failures.append(failure)
