"""`container-kit serve`."""

from __future__ import annotations

import argparse
import gc
import sys

import anyio

from container_kit.pipelines.observability.metrics import PipelineMetrics
from container_kit.pipelines.observability.otel_metrics import Instruments
from container_kit.pipelines.runs.service import RunService
from container_kit.server import logs, settings, telemetry
from container_kit.server.app import make_server
from container_kit.server.tool_selection import offers_of
from container_kit.server.web import transports
from container_kit.server.web.auth import auth_settings, token_verifier, transport_security
from container_kit.server.web.health import add_probes
from container_kit.server.web.run_view import RunPages
from container_kit.stages.contract.workspace import Workspace


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
    metrics = PipelineMetrics()
    runs = RunService(
        Workspace(chosen.workspace),
        chosen.store_of_runs(),
        listeners=[Instruments(), metrics],
        find=find,
        targets=chosen.deployment_targets,
    )
    if asked.transport == "stdio":
        _collect_from_now_on()
        anyio.run(transports.serve_stdio, make_server(runs, offers), runs)
        return 0
    tokens = token_verifier(chosen)
    server = make_server(
        runs,
        offers,
        auth=auth_settings(chosen),
        tokens=tokens,
        request_state_keys=[key.get_secret_value() for key in chosen.request_state_keys],
    )
    add_probes(server, runs, metrics, tokens)
    https = (chosen.public_url or "").startswith("https:")
    RunPages(runs, tokens, transport_security(chosen), secure=https).add_to(server)
    app = transports.http_app(server, asked.transport, chosen)
    with transports.listen(chosen) as listening:
        _collect_from_now_on()
        print(f"serving {transports.address(listening, asked.transport)}", file=sys.stderr, flush=True)  # noqa: T201
        anyio.run(transports.serve_http, app, runs, listening)
    return 0


def _collect_from_now_on() -> None:
    gc.freeze()  # what was made until now stays for as long as the process
    gc.enable()
