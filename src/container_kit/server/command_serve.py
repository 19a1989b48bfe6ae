"""`container-kit serve`."""

from __future__ import annotations

import argparse

import anyio

from container_kit.pipelines.instruments import Instruments
from container_kit.server import logs, settings, telemetry, transports
from container_kit.server.app import make_server
from container_kit.stages.workspace import Workspace
from container_kit.tools.offered import ALL
from container_kit.tools.runs import Runs


def serve(asked: argparse.Namespace) -> int:
    """Serve MCP until the client goes away or a signal comes.

    Raises:
        WiringError: The settings cannot be used.
    """
    chosen = settings.load(host=asked.host, port=asked.port)
    logs.configure(chosen.log_level, chosen.log_format)
    telemetry.configure()
    runs = Runs(Workspace(chosen.workspace), chosen.store_of_runs(), listeners=[Instruments()])
    anyio.run(transports.serve, make_server(runs, ALL), runs, asked.transport, chosen)
    return 0
