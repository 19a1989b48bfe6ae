"""`full-deployment`: from a repository to a healthy container."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.deploy.targets import find_target
from container_kit.tools.builtin._fields import (
    ApplicationName,
    ContainerPort,
    DryRun,
    Env,
    EnvFile,
    FailOn,
    HealthPath,
    HostPort,
    ModulePath,
    NewImageName,
    SourcePath,
    TargetName,
    Timeout,
    scan_policy,
)
from container_kit.tools.builtin._options import FullDeploymentOptionsInput, given_arguments
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall


class FullDeploymentInput(FullDeploymentOptionsInput):
    """The arguments of `full-deployment`."""

    path: SourcePath
    module: ModulePath = "."
    tag: NewImageName | None = None
    fail_on: FailOn = "critical"
    name: ApplicationName | None = None
    port: HostPort | None = None
    container_port: ContainerPort | None = None
    env: Env = Field(default_factory=dict)
    env_file: EnvFile | None = None
    health_path: HealthPath | None = None
    services: Annotated[bool, Field(description="Also run its databases")] = False
    deploy_to: TargetName | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _prepare(call: ToolCall, arguments: FullDeploymentInput) -> PipelineCall:
    from container_kit.stages.deploy.registry import BACKENDS  # imports container engine and cluster clients

    target = find_target(call.runs.targets, arguments.deploy_to)
    backend = BACKENDS[target.kind]
    given = given_arguments(arguments)
    changes = backend.map_options({**arguments.model_dump(), **given}, given.keys(), target.name)
    prepared = pipeline_call(backend.full_deployment, {**given, **changes})
    return PipelineCall(prepared.pipeline, scan_policy(prepared.input), prepared.options)


def _outputs() -> tuple[type[BaseModel], ...]:
    from container_kit.stages.deploy.registry import BACKENDS  # as above

    deployments = (backend.deployment for backend in BACKENDS.values())
    return (Dockerfile, Image, ScanReport, *deployments, Verification)


FULL_DEPLOYMENT = Tool(
    name=ToolName.FULL_DEPLOYMENT,
    title="Deploy a repository",
    description=(
        "Turn a repository into a healthy, scanned container: analyze, write a Dockerfile, build, "
        "scan, deploy, verify. Use it for 'containerize this' or 'run this'. A failure keeps the previous "
        "deployment. Next: open the URL, or fix and retry-run."
    ),
    input=FullDeploymentInput,
    output=result_schema(Deployment),
    toolset="deploy",
    effect="destructive",
    handler=runs_pipeline(_prepare, _outputs),
    open_world=True,
)
