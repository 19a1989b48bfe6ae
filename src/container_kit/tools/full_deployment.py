"""`full-deployment`: from a repository to a healthy container."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.artifacts.dockerfile import Dockerfile
from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import ScanReport
from container_kit.tools.deploy import ContainerPort, Env, EnvFile, HealthPath, HostPort, Name, TargetName
from container_kit.tools.inputs import DryRun, FailOn, ModulePath, SourcePath, Timeout, gate
from container_kit.tools.offer import Call, Offer, ToolInput
from container_kit.tools.pipeline_tool import Plan, backed_by_pipeline, plan
from container_kit.tools.schema import answer_schema


class FullDeploymentInput(ToolInput):
    """What to deploy, and how. The single tools take more options."""

    path: SourcePath
    module: ModulePath = "."
    tag: Annotated[str, Field(description="name[:tag]; default: folder name")] | None = None
    dockerfile: Annotated[str, Field(description="Relative to path")] | None = None
    build_args: dict[str, str] = Field(default_factory=dict)
    fail_on: FailOn = "critical"
    name: Name | None = None
    port: HostPort | None = None
    container_port: ContainerPort | None = None
    env: Env = Field(default_factory=dict)
    env_file: EnvFile | None = None
    health_path: HealthPath | None = None
    health_timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    read_only: bool = True
    deploy_to: TargetName | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(_: Call, asked: FullDeploymentInput) -> Plan:
    made = plan("full-deployment", asked)
    return Plan(made.pipeline, gate(made.input), made.options)


_PRODUCTS = (Dockerfile, Image, ScanReport, Deployment, Verification)

FULL_DEPLOYMENT = Offer(
    name="full-deployment",
    title="Deploy a repository",
    description=(
        "From a repository to a healthy, scanned container here in one call: analyze, write a Dockerfile where "
        "there is none, build, scan, deploy, verify. Use it for 'containerize this' or 'run this'. A failure keeps "
        "what was done and the previous deployment. Next: open the url, or mend what the fault names and "
        "retry-run."
    ),
    input=FullDeploymentInput,
    output=answer_schema(None, *_PRODUCTS),
    toolset="deploy",
    effect="replaces",
    work=backed_by_pipeline(_planned, _PRODUCTS),
    open_world=True,
)
