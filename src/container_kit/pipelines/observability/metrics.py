"""Metrics of runs and stages in memory, for the Prometheus endpoint and for tests of pipelines."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from container_kit.pipelines.events import Event
from container_kit.stages.contract.artifact import Artifact

_LATENCIES_KEPT = 1000


class MetricsSnapshot(Artifact):
    """The metrics of one pipeline or stage. A cancelled run counts as an execution and not as a success."""

    total_executions: int = 0
    successes: int = 0
    p95_latency: float = 0.0
    """Seconds; over the last 1,000 executions."""
    retries: int = 0

    @classmethod
    def of(cls, *, total: int, successes: int, retries: int, latencies: Sequence[float]) -> MetricsSnapshot:
        """Create a snapshot; p95 is the nearest rank of the latencies."""
        ordered = sorted(latencies)
        nearest_rank = max(0, -(-95 * len(ordered) // 100) - 1)
        p95 = ordered[nearest_rank] if ordered else 0.0
        return cls(total_executions=total, successes=successes, p95_latency=p95, retries=retries)

    @property
    def success_rate(self) -> float:
        """0 to 1; 1 before the first execution."""
        return self.successes / self.total_executions if self.total_executions else 1.0


class PipelineMetrics:
    """A listener that counts executions. It may be the listener of many runs.

    >>> metrics = PipelineMetrics()
    >>> metrics.of("full-deployment").success_rate
    1.0
    """

    def __init__(self) -> None:
        self._series: dict[tuple[str, str | None], _Series] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Count one event."""
        match event.kind:
            case "run_finished":
                self._ended(event, None, success=event.status == "success")
            case "stage_succeeded" | "stage_failed":
                self._ended(event, event.stage, success=event.kind == "stage_succeeded")
            case "stage_retrying":
                with self._lock:
                    self._at(event.pipeline, event.stage).retries += 1
                    self._at(event.pipeline, None).retries += 1

    def of(self, pipeline: str, stage: str | None = None) -> MetricsSnapshot:
        """Return the metrics of a pipeline, or of one of its stages."""
        with self._lock:
            return self._series.get((pipeline, stage), _Series()).snapshot()

    def series(self) -> list[tuple[str, str | None]]:
        """Return the pipelines and stages with metrics; None stands for the whole pipeline."""
        with self._lock:
            return sorted(self._series, key=lambda key: (key[0], key[1] or ""))

    def _ended(self, event: Event, stage: str | None, *, success: bool) -> None:
        with self._lock:
            series = self._at(event.pipeline, stage)
            series.total += 1
            series.successes += success
            series.latencies.append(event.seconds or 0.0)

    def _at(self, pipeline: str, stage: str | None) -> _Series:
        return self._series.setdefault((pipeline, stage), _Series())


class _Series:
    def __init__(self) -> None:
        self.total = 0
        self.successes = 0
        self.retries = 0
        self.latencies: deque[float] = deque(maxlen=_LATENCIES_KEPT)

    def snapshot(self) -> MetricsSnapshot:
        return MetricsSnapshot.of(
            total=self.total, successes=self.successes, retries=self.retries, latencies=tuple(self.latencies)
        )
