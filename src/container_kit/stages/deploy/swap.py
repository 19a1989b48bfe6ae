"""The change of hands: the old version leaves the public port and the new one takes it, in a tenth of a second."""

from __future__ import annotations

import anyio

from container_kit.stages.artifacts.deployment import Probe
from container_kit.stages.deploy import probe
from container_kit.stages.deploy.containers import PUBLIC, Containers, Found
from container_kit.stages.fault import Evidence, FaultCode, StageFailure

SWAP_FAILED = FaultCode(
    "deploy.swap_failed",
    means="The new version was healthy beside the old one, but not on the public port; the old one was put back.",
    hint="Deploy again; if it fails the same way, the evidence shows what the public port answered.",
    retryable=True,
)

_RACE = ("port is already allocated", "address already in use")
_PAUSE = 0.02
_ANSWERS_WITHIN = 5.0


async def swap(containers: Containers, old: Found | None, new: str) -> float:
    """Let `new` take the port that `old` holds. Not to be cancelled half-way; `revert` puts it back.

    Returns:
        Seconds from the old version's leaving to the new one's arrival.

    Raises:
        StageFailure: The engine's, where the new one could not take the port.
    """
    front, out = containers.networks.front, containers.networks.out
    if old is None:
        await containers.connect(new, front)
        return 0.0
    # Else its port mapping would move to the address where the new one is.
    await containers.disconnect(old.id, out)
    began = anyio.current_time()
    failures: list[StageFailure] = []
    async with anyio.create_task_group() as group:
        left = anyio.Event()
        group.start_soon(_leave, containers, old.id, left)
        # Joining takes a moment before it needs the port: begun now, it finds the port just free.
        group.start_soon(_join, containers, new, left, failures)
    if failures:
        raise failures[0]
    return anyio.current_time() - began


async def revert(containers: Containers, old: Found | None, new: str) -> None:
    """Put the old version back on the port."""
    if await containers.inspect(new) is not None:
        await containers.disconnect(new, containers.networks.front)
    if old is not None:
        await containers.connect(old.id, containers.networks.front)
        await containers.connect(old.id, containers.networks.out)


async def settled(app: str, port: int, kind: Probe, path: str) -> None:
    """Ask on the public port until it answers well, for a few seconds.

    Raises:
        StageFailure: `deploy.swap_failed`.
    """
    deadline = anyio.current_time() + _ANSWERS_WITHIN
    while True:
        last = await probe.ask(PUBLIC, port, kind, path)
        if last.healthy:
            return
        if anyio.current_time() > deadline:
            break
        await anyio.sleep(_PAUSE)
    evidence = [Evidence(kind="http", text=last.says, where=f"{PUBLIC}:{port}")]
    raise SWAP_FAILED(f"{app} did not answer on port {port} after the swap: {last.says}", evidence=evidence)


async def _leave(containers: Containers, old: str, left: anyio.Event) -> None:
    try:
        await containers.disconnect(old, containers.networks.front)
    finally:
        left.set()


async def _join(containers: Containers, new: str, left: anyio.Event, failures: list[StageFailure]) -> None:
    while True:
        free = left.is_set()
        try:
            await containers.connect(new, containers.networks.front)
        except StageFailure as failure:
            said = " ".join(one.text for one in failure.fault.evidence)
            if free or not any(words in said for words in _RACE):
                failures.append(failure)
                return
            await left.wait()
        else:
            return
