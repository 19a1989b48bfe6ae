"""`retry-run`: retry a run from the stage that failed."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, Field, JsonValue, ValidationError, create_model

from container_kit.pipelines.request import PipelineOptions, PipelineResponse
from container_kit.stages.contract.fault import FaultCode
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import RunId, scan_policy
from container_kit.tools.builtin._options import given_arguments
from container_kit.tools.pipeline_tool import RunHandler, outputs_of
from container_kit.tools.results.fault import invalid_request
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
    name = (await backend.metadata(run.id, call.principal)).get("tool")
    tool = call.tools.get(str(name)) or call.tools.get(run.pipeline)
    if tool is None:
        raise PIPELINE_DISABLED(f"{run.pipeline} cannot be retried on this server", pipeline=run.pipeline)
    changes = checked_changes(call, tool, arguments.input)
    return await backend.retry(run.id, call.caller, scan_policy(changes), arguments.from_stage)


def checked_changes(call: ToolCall, tool: Tool, changes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return changes that the run's tool would accept. A pipeline has more inputs than its tool offers to clients."""
    try:
        checked = _changes_model(tool.input).model_validate(changes)
    except ValidationError as error:
        raise invalid_request(replace(call, tool=tool, arguments=changes), error) from None  # it repeats the values
    return given_arguments(checked)


@cache
def _changes_model(model: type[ToolInput]) -> type[ToolInput]:
    """Return the model of a tool's arguments in which each one may be missing."""
    fields: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name not in PipelineOptions.model_fields:
            optional = copy(field)
            optional.default, optional.default_factory = None, None
            fields[name] = (field.annotation, optional)
    return create_model(f"{model.__name__}Changes", __base__=ToolInput, **fields)


def _outputs(call: ToolCall, response: PipelineResponse) -> list[type[BaseModel]]:
    return outputs_of(call.runs.find(response.pipeline))


RETRY_RUN = Tool(
    name=ToolName.RETRY_RUN,
    title="Retry a run",
    description=(
        "Run again from the failed stage, with changed arguments. Completed stages are kept and secrets "
        "remembered. Next: as after the run's own tool."
    ),
    input=RetryRunInput,
    output=result_schema(),
    toolset="runs",
    effect="destructive",
    handler=RunHandler(_retry, _outputs),
    open_world=True,
)
