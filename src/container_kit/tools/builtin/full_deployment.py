"""`full-deployment`: from a repository to a healthy container."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.stages.deploy.registry import BACKENDS
from container_kit.stages.deploy.targets import find_target
from container_kit.tools.builtin._fields import DryRun, FailOn, ModulePath, SourcePath, Timeout, gate
from container_kit.tools.builtin.deploy import ContainerPort, Env, EnvFile, HealthPath, HostPort, Name, TargetName
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class FullDeploymentInput(ToolInput):
    """What to deploy, and how. The single tools take more options."""

    path: SourcePath
    module: ModulePath = "."
    tag: Annotated[str, Field(description="name[:tag]; default: folder name")] | None = None
    dockerfile: Annotated[str, Field(description="Relative to path")] | None = None
    build_args: dict[str, str] = Field(default_factory=dict)
    ca_file: str | None = None
    fail_on: FailOn = "critical"
    name: Name | None = None
    port: HostPort | None = None
    container_port: ContainerPort | None = None
    env: Env = Field(default_factory=dict)
    env_file: EnvFile | None = None
    health_path: HealthPath | None = None
    health_timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    read_only: bool = True
    services: Annotated[bool, Field(description="Run its databases too")] = False
    deploy_to: TargetName | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(call: ToolCall, asked: FullDeploymentInput) -> PipelineCall:
    target = find_target(call.runs.targets, asked.deploy_to)
    backend = BACKENDS[target.kind]
    changes = backend.map_options(asked.model_dump(), asked.model_fields_set, target.name)
    made = pipeline_call(backend.full_deployment, asked, **changes)
    return PipelineCall(made.pipeline, gate(made.input), made.options)


_PRODUCTS: tuple[type[BaseModel], ...] = (
    Dockerfile,
    Image,
    ScanReport,
    *(backend.deployment for backend in BACKENDS.values()),
    Verification,
)

FULL_DEPLOYMENT = Tool(
    name="full-deployment",
    title="Deploy a repository",
    description=(
        "From a repository to a healthy, scanned container here in one call: analyze, write a Dockerfile where "
        "there is none, build, scan, deploy, verify. Use it for 'containerize this' or 'run this'. A failure keeps "
        "what was done and the previous deployment. Next: open the url, or mend what the fault names and "
        "retry-run."
    ),
    input=FullDeploymentInput,
    output=answer_schema(None, Dockerfile, Image, ScanReport, Deployment, Verification),
    toolset="deploy",
    effect="destructive",
    work=runs_pipeline(_planned, _PRODUCTS),
    open_world=True,
)
