"""`container-kit serve`."""

from __future__ import annotations

import argparse
import gc
import sys

import anyio

from container_kit.pipelines.observability.metrics import PipelineMetrics
from container_kit.pipelines.observability.otel_metrics import Instruments
from container_kit.pipelines.runs.service import RunService
from container_kit.server import logs, telemetry
from container_kit.server.app import make_server
from container_kit.server.settings import load
from container_kit.server.tool_selection import configured_tools
from container_kit.server.web import transports
from container_kit.server.web.auth import auth_settings, token_verifier, transport_security
from container_kit.server.web.health import add_health_routes
from container_kit.server.web.run_view import RunPages
from container_kit.stages.contract.workspace import Workspace

_OPTIONS = ("host", "port", "toolsets", "tools", "exclude_tools", "read_only", "disable_destructive", "pipelines")


def serve(options: argparse.Namespace) -> int:
    """Serve MCP until the client disconnects or a signal arrives.

    Raises:
        ConfigurationError: The settings are invalid.
    """
    settings = load(**{name: getattr(options, name) for name in _OPTIONS})
    logs.configure(settings.log_level, settings.log_format)
    telemetry.configure()
    tools, find = configured_tools(settings)
    metrics = PipelineMetrics()
    runs = RunService(
        Workspace(settings.workspace),
        settings.run_store(),
        listeners=[Instruments(), metrics],
        find=find,
        targets=settings.deployment_targets,
    )
    if options.transport == "stdio":
        _enable_garbage_collection()
        anyio.run(transports.serve_stdio, make_server(runs, tools), runs)
        return 0
    verifier = token_verifier(settings)
    server = make_server(
        runs,
        tools,
        auth=auth_settings(settings),
        token_verifier=verifier,
        request_state_keys=[key.get_secret_value() for key in settings.request_state_keys],
    )
    add_health_routes(server, runs, metrics, verifier)
    https = (settings.public_url or "").startswith("https:")
    RunPages(runs, verifier, transport_security(settings), https, {tool.name: tool for tool in tools}).add_to(server)
    app = transports.http_app(server, options.transport, settings)
    with transports.listen(settings) as listener:
        _enable_garbage_collection()
        print(f"serving {transports.url_of(listener, options.transport)}", file=sys.stderr, flush=True)  # noqa: T201
        anyio.run(transports.serve_http, app, runs, listener)
    return 0


def _enable_garbage_collection() -> None:
    gc.freeze()  # objects created at start live as long as the process
    gc.enable()
