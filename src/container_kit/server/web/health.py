"""What an operator's machines ask: `/healthz`, `/readyz`, `/metrics`."""

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
    "{}s_total": ("counter", "How often a {} ended.", lambda s: s.total_executions),
    "{}s_succeeded_total": ("counter", "How often a {} succeeded.", lambda s: s.successes),
    "{}_retries_total": ("counter", "Attempts of a {} after the first.", lambda s: s.retries),
    "{}_seconds_p95": ("gauge", "95th percentile of how long a {} took.", lambda s: s.p95_latency),
}
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def add_probes(server: MCPServer, runs: RunService, metrics: PipelineMetrics, tokens: TokenVerifier | None) -> None:
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
        return PlainTextResponse("\n".join(exposition(metrics)) + "\n", media_type=_EXPOSITION)

    for path, answer in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", figures)):
        server.custom_route(path, methods=["GET"])(answer)


def exposition(metrics: PipelineMetrics) -> Iterator[str]:
    """The figures in Prometheus' text format, of this process since it started; of pipelines, and of their stages."""
    known = metrics.known()
    for kind in ("run", "stage"):
        of_it = [(pipeline, stage) for pipeline, stage in known if (stage is None) is (kind == "run")]
        snapshots = {_labels(pipeline, stage): metrics.of(pipeline, stage) for pipeline, stage in of_it}
        for name, (type_, meaning, figure) in _SERIES.items():
            metric = f"container_kit_{name.format(kind)}"
            yield f"# HELP {metric} {meaning.format(kind)}"
            yield f"# TYPE {metric} {type_}"
            for labels, snapshot in snapshots.items():
                yield f"{metric}{{{labels}}} {figure(snapshot):g}"


def _labels(pipeline: str, stage: str | None) -> str:
    return f'pipeline="{pipeline}"' + (f',stage="{stage}"' if stage else "")
