"""The port swap: the old version leaves the public port and the new one takes it, within a tenth of a second."""

from __future__ import annotations

import anyio

from container_kit.stages.artifacts.deployment import Probe
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.deploy.local import probe
from container_kit.stages.deploy.local.container import PUBLIC_ADDRESS, AppContainer
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.ports import can_listen

SWAP_FAILED = FaultCode(
    "deploy.swap_failed",
    means="The new version was healthy in staging, but not on the public port. The old version was restored.",
    hint="Deploy again. If it fails the same way, the evidence shows the answer of the public port.",
    retryable=True,
)

_POLL_SECONDS = 0.002
_FREE_SECONDS = 5.0
_PROBE_INTERVAL = 0.02
_ANSWER_SECONDS = 5.0


async def swap(containers: Containers, old: AppContainer | None, old_port: int, new: str) -> float:
    """Replace `old` by `new` on the public network. Must not be cancelled half-way; `revert` undoes it.

    Returns:
        Seconds between the old version's leaving and the new one's joining.

    Raises:
        StageFailure: A fault of the engine: one could not leave, or the other could not join.
    """
    public = containers.networks.public
    if old is None:
        await containers.connect(new, public)
        return 0.0
    # Otherwise its port mapping would fall back to the address of another network, perhaps that of the new version.
    for network in old.networks - {public}:
        await containers.disconnect(old.id, network)
    began = anyio.current_time()
    failures: list[StageFailure] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_leave, containers, old.id, failures)
        # Leaving takes a while longer after the port is free. Joining before that would fail and break the container.
        await _wait_until_free(old_port)
        await _join(containers, new, failures)
    if failures:
        raise failures[0]
    return anyio.current_time() - began


async def revert(containers: Containers, old: AppContainer | None, new: str) -> None:
    """Put the old version back on the port."""
    if await containers.inspect(new) is not None:
        await containers.disconnect(new, containers.networks.public)
    if old is not None:
        await containers.connect(old.id, containers.networks.public)
        for network in old.networks:
            await containers.connect(old.id, network)


async def wait_until_answering(app: str, port: int, kind: Probe, path: str, send: probe.Send) -> None:
    """Probe the public port with `send` until it is healthy, for a few seconds.

    Raises:
        StageFailure: `deploy.swap_failed`.
    """
    deadline = anyio.current_time() + _ANSWER_SECONDS
    while not (last := await send(kind, path)).healthy:
        if anyio.current_time() > deadline:
            evidence = [Evidence(kind="http", text=last.detail, where=f"{PUBLIC_ADDRESS}:{port}")]
            raise SWAP_FAILED(f"{app} did not answer on port {port} after the swap: {last.detail}", evidence=evidence)
        await anyio.sleep(_PROBE_INTERVAL)


async def _wait_until_free(port: int) -> None:
    with anyio.move_on_after(_FREE_SECONDS):
        while not can_listen(PUBLIC_ADDRESS, port):  # noqa: ASYNC110 (another process frees it)
            await anyio.sleep(_POLL_SECONDS)


async def _leave(containers: Containers, old: str, failures: list[StageFailure]) -> None:
    try:
        await containers.disconnect(old, containers.networks.public)
    except StageFailure as failure:
        failures.append(failure)


async def _join(containers: Containers, new: str, failures: list[StageFailure]) -> None:
    try:
        await containers.connect(new, containers.networks.public)
    except StageFailure as failure:
        failures.append(failure)
