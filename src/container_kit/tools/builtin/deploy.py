"""`deploy`: run an image as a container on this machine."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from container_kit.stages.artifacts.deployment import Deployment, ServiceKind, Verification
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import (
    ApplicationName,
    ContainerPort,
    DryRun,
    Env,
    EnvFile,
    HealthPath,
    HostPort,
    TargetName,
    Timeout,
)
from container_kit.tools.builtin._image_source import ImageSourceInput, application_name, image_of_run
from container_kit.tools.builtin._options import DeployOptionsInput, given_arguments
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall


class DeployInput(ImageSourceInput, DeployOptionsInput):
    """The arguments of `deploy`."""

    name: ApplicationName | None = None
    port: HostPort | None = None
    container_port: ContainerPort | None = None
    env: Env = Field(default_factory=dict)
    env_file: EnvFile | None = None
    health_path: HealthPath | None = None
    services: Annotated[tuple[ServiceKind, ...], Field(description="Databases to run")] = ()
    deploy_to: TargetName | None = None
    dry_run: DryRun = False
    timeout: Timeout | None = None


async def _prepare(call: ToolCall, arguments: DeployInput) -> PipelineCall:
    given = given_arguments(arguments)
    if arguments.path is not None:
        return pipeline_call("deploy-source", given)
    if arguments.run is not None:
        image = await image_of_run(call, arguments.run)
        name = arguments.name or application_name(image)
        return pipeline_call("deploy", {**given, "run": None, "image": image.id, "name": name})
    return pipeline_call("deploy", given)


DEPLOY = Tool(
    name=ToolName.DEPLOY,
    title="Deploy an image here",
    description=(
        "Run an image on this machine and wait until it is healthy. Pass image, the run that built it, or path "
        "for the newest image built from it. An existing application is replaced only once the new one is "
        "healthy. Next: open the URL, or fix what the evidence shows."
    ),
    input=DeployInput,
    output=result_schema(Deployment),
    toolset="deploy",
    effect="destructive",
    handler=runs_pipeline(_prepare, (Deployment, Verification)),
)
