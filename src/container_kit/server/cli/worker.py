"""`container-kit worker`."""

from __future__ import annotations

import signal
import sys

import anyio

from container_kit.pipelines.durable.retention import Retention
from container_kit.pipelines.durable.service import DurableRuns
from container_kit.pipelines.observability.otel_metrics import Instruments
from container_kit.server import logs, settings, telemetry
from container_kit.stages.contract.fault import StageFailure
from container_kit.tools.custom import finder, own_pipelines


def work() -> int:
    """Carry out what servers ask for on the same store, until a signal comes; others go on with what is unfinished.

    Raises:
        WiringError: The settings cannot be used.
    """
    chosen = settings.load()
    logs.configure(chosen.log_level, chosen.log_format)
    telemetry.configure()
    try:
        anyio.run(_until_a_signal, chosen)
    except StageFailure as failure:
        print(f"container-kit: {failure}\n{failure.fault.hint}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _until_a_signal(chosen: settings.Settings) -> None:
    store = chosen.store_of_runs()
    runs = DurableRuns(
        store.url,
        store.home,
        role="worker",
        find=finder(own_pipelines(chosen.pipelines), chosen.deployment_targets),
        concurrency=store.concurrency,
        listeners=[Instruments()],
        retention=Retention(keep=store.retention_runs, max_age=store.keep_seconds),
    )
    async with runs.opened():
        print("container-kit: working", file=sys.stderr)  # noqa: T201
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                return
