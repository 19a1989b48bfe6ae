"""What an operator's machines ask: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from container_kit.pipelines.metrics import MetricsSnapshot, PipelineMetrics
from container_kit.stages.fault import StageFailure
from container_kit.tools.runs import Runs

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def add_probes(
    server: MCPServer, runs: Runs, metrics: PipelineMetrics, pipelines: Sequence[str], tokens: TokenVerifier | None
) -> None:
    """Add the routes. Health is told to everybody; metrics to those with a token, where tokens are asked for."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        try:
            await runs.newest(limit=1)
        except StageFailure as failure:
            return PlainTextResponse(f"{failure.fault.code}\n", 503)
        return PlainTextResponse("ready\n")

    async def figures(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if tokens is not None and await tokens.verify_token(token) is None:
            return PlainTextResponse("a token is needed\n", 401, headers={"WWW-Authenticate": "Bearer"})
        return PlainTextResponse("\n".join(exposition(metrics, pipelines)) + "\n", media_type=_EXPOSITION)

    for path, answer in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", figures)):
        server.custom_route(path, methods=["GET"])(answer)


def exposition(metrics: PipelineMetrics, pipelines: Sequence[str]) -> Iterator[str]:
    """The figures in Prometheus' text format, of this process since it started."""
    snapshots = {name: metrics.of(name) for name in pipelines}
    series: dict[str, tuple[str, str, Callable[[MetricsSnapshot], float]]] = {
        "runs_total": ("counter", "Runs that ended.", lambda s: s.total_executions),
        "runs_succeeded_total": ("counter", "Runs that succeeded.", lambda s: s.successes),
        "retries_total": ("counter", "Attempts after the first.", lambda s: s.retries),
        "run_seconds_p95": ("gauge", "95th percentile of how long a run took.", lambda s: s.p95_latency),
    }
    for name, (kind, meaning, figure) in series.items():
        yield f"# HELP container_kit_{name} {meaning}"
        yield f"# TYPE container_kit_{name} {kind}"
        for pipeline, snapshot in snapshots.items():
            yield f'container_kit_{name}{{pipeline="{pipeline}"}} {figure(snapshot):g}'
