"""`retry-run`: retry a run from the stage that failed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import RunId, scan_policy
from container_kit.tools.pipeline_tool import RunHandler, outputs_of
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput

PIPELINE_DISABLED = FaultCode(
    "run.pipeline_disabled",
    means="The tool that runs this pipeline is not enabled on this server.",
    hint="The operator selects the tools of this server; {pipeline} is not one of them.",
)


class RetryRunInput(ToolInput):
    """The arguments of `retry-run`."""

    run: RunId
    input: Annotated[dict[str, JsonValue], Field(description="Changed arguments")] = Field(default_factory=dict)
    from_stage: Annotated[str, Field(description="Default: the stage that failed")] | None = None


async def _retry(call: ToolCall, arguments: RetryRunInput) -> PipelineResponse:
    backend = call.runs.backend(arguments.run)
    run = await backend.get(arguments.run, call.principal)
    if run.pipeline.removesuffix("-source") not in call.tools:
        raise PIPELINE_DISABLED(f"{run.pipeline} cannot be retried on this server", pipeline=run.pipeline)
    return await backend.retry(run.id, call.caller, scan_policy(arguments.input), arguments.from_stage)


def _outputs(call: ToolCall, response: PipelineResponse) -> list[type[BaseModel]]:
    return outputs_of(call.runs.find(response.pipeline))


RETRY_RUN = Tool(
    name=ToolName.RETRY_RUN,
    title="Retry a run",
    description=(
        "Run again from the failed stage, with changed arguments. Completed stages are kept and secrets "
        "remembered. Use it once the cause is fixed. Next: as after the run's own tool."
    ),
    input=RetryRunInput,
    output=result_schema(),
    toolset="runs",
    effect="destructive",
    handler=RunHandler(_retry, _outputs),
    open_world=True,
)
