"""`deploy`: an image as a healthy container on this machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployment import Deployment, Verification
from container_kit.stages.artifacts.image import Image
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import DryRun, OneTarget, Timeout, image_of
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall

Name = Annotated[str, Field(description="Application name; the same name replaces")]
HostPort = Annotated[int, Field(ge=1, le=65535, description="On 127.0.0.1; default: a free one")]
ContainerPort = Annotated[int, Field(ge=1, le=65535)]
Env = Annotated[dict[str, str], Field(description="Never repeated in results")]
EnvFile = Annotated[str, Field(description="NAME=value lines; for secrets")]
TargetName = Annotated[str, Field(description="Configured target")]
HealthPath = Annotated[str, Field(description="Probed with GET")]


class DeployInput(OneTarget):
    """What to deploy, and how."""

    name: Name | None = None
    port: HostPort | None = None
    container_port: ContainerPort | None = None
    env: Env = Field(default_factory=dict)
    env_file: EnvFile | None = None
    health_path: HealthPath | None = None
    health_timeout: Annotated[float, Field(gt=0, le=600)] = 30.0
    memory_mb: Annotated[int, Field(ge=16)] = 512
    cpus: Annotated[float, Field(gt=0)] = 1.0
    read_only: Annotated[bool, Field(description="Read-only root, tmpfs at /tmp")] = True
    deploy_to: TargetName | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _planned(call: ToolCall, asked: DeployInput) -> PipelineCall:
    if asked.path is not None:
        return pipeline_call("deploy-source", asked)
    if asked.run is not None:
        image = await image_of(call, asked.run)
        name = asked.name or application_name(image)
        return pipeline_call("deploy", asked, run=None, image=image.id, name=name)
    return pipeline_call("deploy", asked)


def application_name(image: Image) -> str:
    """The last part of an image's name, without its tag: what a deployment of it is called by default."""
    return image.reference.rpartition("/")[2].partition("@")[0].partition(":")[0]


DEPLOY = Tool(
    name=ToolName.DEPLOY,
    title="Deploy an image here",
    description=(
        "Run an image here and wait until it is healthy: image, the run that built it, or path for the newest "
        "image built from it. The same name is replaced only once the new one is healthy. Next: open the url, or "
        "mend what the evidence shows."
    ),
    input=DeployInput,
    output=answer_schema(Deployment, Verification),
    toolset="deploy",
    effect="destructive",
    work=runs_pipeline(_planned, (Deployment, Verification)),
    idempotent=False,
)
