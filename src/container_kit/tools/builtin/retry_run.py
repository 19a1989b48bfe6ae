"""`retry-run`: go on where a run failed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, JsonValue

from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import gate
from container_kit.tools.builtin.get_run import AnyRun
from container_kit.tools.pipeline_tool import RunHandler, products_of
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput

NOT_OFFERED = FaultCode(
    "run.pipeline_disabled",
    means="The run's pipeline is not among those that may be run here.",
    hint="The operator decides which tools are offered; {pipeline} is not.",
)


class RetryRunInput(ToolInput):
    """Which run, and what is different now."""

    run: AnyRun
    input: Annotated[dict[str, JsonValue], Field(description="Arguments that change, as of the run's tool")] = Field(
        default_factory=dict
    )
    from_stage: Annotated[str, Field(description="Default: the failed one")] | None = None


async def _retry(call: ToolCall, asked: RetryRunInput) -> PipelineResponse:
    run = await call.runs.get(asked.run, call.principal)
    if run.pipeline.removesuffix("-source") not in call.offered:
        raise NOT_OFFERED(f"{run.pipeline} cannot be retried", pipeline=run.pipeline)
    return await call.runs.retry(run.id, gate(asked.input), call.asker, from_stage=asked.from_stage)


def _products(call: ToolCall, response: PipelineResponse) -> list[type[BaseModel]]:
    return products_of(call.runs.find(response.pipeline))


RETRY_RUN = Tool(
    name=ToolName.RETRY_RUN,
    title="Retry a run",
    description=(
        "Run again from the failed stage with changed arguments; what was made is kept, secrets are remembered. "
        "Use it once the cause is mended. Next: as after the run's own tool."
    ),
    input=RetryRunInput,
    output=answer_schema(),
    toolset="runs",
    effect="destructive",
    work=RunHandler(_retry, _products),
    open_world=True,
)
