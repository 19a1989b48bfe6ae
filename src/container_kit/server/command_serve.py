"""`container-kit serve`."""

from __future__ import annotations

import argparse

import anyio

from container_kit.pipelines.instruments import Instruments
from container_kit.server import logs, settings, telemetry, transports
from container_kit.server.app import make_server
from container_kit.server.offers import offers_of
from container_kit.stages.workspace import Workspace
from container_kit.tools.runs import Runs


def serve(asked: argparse.Namespace) -> int:
    """Serve MCP until the client goes away or a signal comes.

    Raises:
        WiringError: The settings cannot be used.
    """
    names = ("host", "port", "toolsets", "tools", "exclude_tools", "read_only", "disable_destructive", "pipelines")
    chosen = settings.load(**{name: getattr(asked, name) for name in names})
    logs.configure(chosen.log_level, chosen.log_format)
    telemetry.configure()
    offers, find = offers_of(chosen)
    runs = Runs(Workspace(chosen.workspace), chosen.store_of_runs(), listeners=[Instruments()], find=find)
    anyio.run(transports.serve, make_server(runs, offers), runs, asked.transport, chosen)
    return 0
