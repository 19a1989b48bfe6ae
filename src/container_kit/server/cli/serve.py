"""`container-kit serve`."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterable
from typing import Literal

import anyio

from container_kit.pipelines.observability.metrics import PipelineMetrics
from container_kit.pipelines.observability.otel_metrics import Instruments
from container_kit.pipelines.runs.service import RunService
from container_kit.server import logs, telemetry
from container_kit.server.app import make_server
from container_kit.server.implicit_workspace import require_narrow_workspace
from container_kit.server.settings import Settings, load
from container_kit.server.tool_selection import configured_tools
from container_kit.server.web import transports
from container_kit.server.web.auth import auth_settings, token_verifier, transport_security
from container_kit.server.web.credentials import ValidCredentials
from container_kit.server.web.health import add_health_routes
from container_kit.server.web.local_token import local_token, needs_local_token, with_token
from container_kit.server.web.run_view import RunPages
from container_kit.stages.contract.isolation import use_workers
from container_kit.stages.contract.workspace import Workspace
from container_kit.tools.tool import Tool

_OPTIONS = (
    "host",
    "port",
    "toolsets",
    "tools",
    "exclude_tools",
    "read_only",
    "disable_destructive",
    "pipelines",
    "no_token",
)


def serve(options: argparse.Namespace) -> int:
    """Serve MCP until the client disconnects or a signal arrives.

    Raises:
        ConfigurationError: The settings are invalid.
    """
    settings = load(**{name: getattr(options, name) for name in _OPTIONS})
    require_narrow_workspace(settings)
    logs.configure(settings.log_level, settings.log_format)
    telemetry.configure()
    use_workers()
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
    return _serve_http(options.transport, settings, runs, tools, metrics)


def _serve_http(
    transport: Literal["sse", "http"],
    settings: Settings,
    runs: RunService,
    tools: Iterable[Tool],
    metrics: PipelineMetrics,
) -> int:
    security = transport_security(settings)  # before there is a token: it may need another authentication
    token = local_token(settings.home) if needs_local_token(settings) else None
    verifier = token_verifier(settings, token)
    server = make_server(
        runs,
        tools,
        auth=auth_settings(settings, token),
        token_verifier=verifier,
        request_state_keys=[key.get_secret_value() for key in settings.request_state_keys],
    )
    add_health_routes(server, runs, metrics, verifier)
    credentials = ValidCredentials()
    https = (settings.public_url or "").startswith("https:")
    by_name = {tool.name: tool for tool in tools}
    RunPages(runs, verifier, credentials, https=https, tools=by_name).add_to(server)
    app = transports.http_app(server, transport, settings, security, credentials, url_has_token=token is not None)
    with transports.listen(settings) as listener:
        _enable_garbage_collection()
        url = with_token(transports.url_of(listener, transport), token)
        print(f"serving {url}", file=sys.stderr, flush=True)  # noqa: T201
        print(f"runs are shown at {with_token(transports.url_of(listener, 'runs'), token)}", file=sys.stderr)  # noqa: T201
        anyio.run(transports.serve_http, app, runs, listener, settings)
    return 0


def _enable_garbage_collection() -> None:
    gc.freeze()  # objects created at start live as long as the process
    gc.enable()
