"""Health endpoints and metrics: `/healthz`, `/readyz`, `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from container_kit.pipelines.observability.metrics import MetricsSnapshot, PipelineMetrics
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import StageFailure

_SERIES: dict[str, tuple[str, str, Callable[[MetricsSnapshot], float]]] = {
    "{}s_total": ("counter", "Number of finished {}s.", lambda s: s.total_executions),
    "{}s_succeeded_total": ("counter", "Number of successful {}s.", lambda s: s.successes),
    "{}_retries_total": ("counter", "Attempts of a {} after the first.", lambda s: s.retries),
    "{}_seconds_p95": ("gauge", "95th percentile of the duration of a {}.", lambda s: s.p95_latency),
}
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def add_health_routes(
    server: MCPServer, runs: RunService, metrics: PipelineMetrics, verifier: TokenVerifier | None
) -> None:
    """Add the routes. Health is public. Metrics need a token if the server has a verifier."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        try:
            await runs.list_runs(limit=1)
        except StageFailure as failure:
            return PlainTextResponse(f"{failure.fault.code}\n", 503)
        return PlainTextResponse("ready\n")

    async def expose_metrics(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if verifier is not None and await verifier.verify_token(token) is None:
            return PlainTextResponse("a token is required\n", 401, headers={"WWW-Authenticate": "Bearer"})
        return PlainTextResponse("\n".join(exposition(metrics)) + "\n", media_type=_EXPOSITION)

    for path, handler in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", expose_metrics)):
        server.custom_route(path, methods=["GET"])(handler)


def exposition(metrics: PipelineMetrics) -> Iterator[str]:
    """Yield the metrics of this process in Prometheus' text format, for pipelines and for their stages."""
    series = metrics.series()
    for kind in ("run", "stage"):
        keys = [(pipeline, stage) for pipeline, stage in series if (stage is None) is (kind == "run")]
        snapshots = {_labels(pipeline, stage): metrics.of(pipeline, stage) for pipeline, stage in keys}
        for name, (type_, description, value) in _SERIES.items():
            metric = f"container_kit_{name.format(kind)}"
            yield f"# HELP {metric} {description.format(kind)}"
            yield f"# TYPE {metric} {type_}"
            for labels, snapshot in snapshots.items():
                yield f"{metric}{{{labels}}} {value(snapshot):g}"


def _labels(pipeline: str, stage: str | None) -> str:
    return f'pipeline="{pipeline}"' + (f',stage="{stage}"' if stage else "")
