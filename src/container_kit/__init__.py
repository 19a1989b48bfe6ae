"""Container Kit: container pipelines as AI tools, on a typed pipeline engine.

A team's own pipelines are made of the names below; `README.md` shows one.
"""

from typing import TYPE_CHECKING

from container_kit.pipelines.artifacts import Artifacts
from container_kit.pipelines.events import Event, Listener
from container_kit.pipelines.observability.metrics import PipelineMetrics
from container_kit.pipelines.pipeline import AtomicPipeline, Pipeline, WorkflowPipeline, minutes
from container_kit.pipelines.request import PipelineOptions, PipelineRequest, PipelineResponse, StageResult
from container_kit.pipelines.retry import RetryPolicy
from container_kit.pipelines.testing import TestPipeline
from container_kit.stages.contract.artifact import Artifact
from container_kit.stages.contract.fault import (
    ConfigurationError,
    ContainerKitError,
    Evidence,
    Fault,
    FaultCode,
    NextAction,
    StageFailure,
    WiringError,
)
from container_kit.stages.contract.stage import Preview, Stage, StageContext
from container_kit.stages.contract.workspace import Workspace

__all__ = [
    "Artifact",
    "Artifacts",
    "AtomicPipeline",
    "ConfigurationError",
    "ContainerKitError",
    "Event",
    "Evidence",
    "Fault",
    "FaultCode",
    "Listener",
    "NextAction",
    "Pipeline",
    "PipelineMetrics",
    "PipelineOptions",
    "PipelineRequest",
    "PipelineResponse",
    "Preview",
    "RetryPolicy",
    "Stage",
    "StageContext",
    "StageFailure",
    "StageResult",
    "TestPipeline",
    "WiringError",
    "WorkflowPipeline",
    "Workspace",
    "minutes",
]

__version__: str

if not TYPE_CHECKING:  # type checkers would accept every name

    def __getattr__(name: str) -> str:
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import version  # reading the metadata would slow every import

        return version("container-kit")
