"""`container-kit worker`."""

from __future__ import annotations

import sys
from dataclasses import replace

import anyio

from container_kit.pipelines.durable.service import DurableRuns
from container_kit.pipelines.observability.otel_metrics import Instruments
from container_kit.server import logs, telemetry
from container_kit.server.settings import Settings, load
from container_kit.server.signals import receive_signals
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.isolation import use_workers
from container_kit.tools.custom import load_custom_pipelines, pipeline_finder


def work() -> int:
    """Execute runs that servers enqueue on the same store, until a signal. Other workers resume unfinished runs.

    Raises:
        ConfigurationError: The settings are invalid.
    """
    settings = load()
    logs.configure(settings.log_level, settings.log_format)
    telemetry.configure()
    use_workers()
    try:
        anyio.run(_work_until_signal, settings)
    except StageFailure as failure:
        print(f"container-kit: {failure}\n{failure.fault.hint}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _work_until_signal(settings: Settings) -> None:
    config = replace(
        settings.run_store(),
        role="worker",
        find=pipeline_finder(load_custom_pipelines(settings.pipelines), settings.deployment_targets, settings.policy),
        listeners=[Instruments()],
    )
    async with DurableRuns(config).open():
        print("container-kit worker: waiting for runs", file=sys.stderr)  # noqa: T201
        with receive_signals() as signals:
            async for _ in signals:
                return
