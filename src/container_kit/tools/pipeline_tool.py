"""Tools backed by a pipeline: turn arguments into a request, run it, and turn the response into a result."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineOptions, PipelineRequest, PipelineResponse
from container_kit.pipelines.runs.client import RunDetached
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.contract.log import logger
from container_kit.stages.contract.placeholder import find_placeholders
from container_kit.tools.results.fault import fault_result, invalid_request
from container_kit.tools.results.success import success_result
from container_kit.tools.tool import ToolCall, ToolInput, ToolResult

TOOL_CRASHED = FaultCode(
    "tool.crashed",
    means="A tool raised an unexpected exception (a bug in Container Kit, not in the arguments).",
    hint="Report it together with the server log; changing the arguments does not help.",
)

PLACEHOLDER = FaultCode(
    "request.placeholder",
    means="An argument still has the placeholder of a next action instead of a value.",
    hint="Replace the placeholder in {fields} by the real value; ask the person if you do not know it.",
)

_OPTIONS = frozenset(PipelineOptions.model_fields)


@dataclass(frozen=True, slots=True)
class PipelineCall:
    """The pipeline that a tool call runs, with its input and options."""

    pipeline: str
    input: dict[str, JsonValue]
    options: PipelineOptions


Prepare = Callable[[ToolCall, Any], Awaitable[PipelineCall]]
"""Chooses the pipeline for the validated arguments of a call."""


def pipeline_call(pipeline: str, arguments: ToolInput | Mapping[str, JsonValue], **changes: JsonValue) -> PipelineCall:
    """Make the call of a pipeline. Arguments that are not set stay unset, so that the pipeline's defaults apply.

    Args:
        arguments: The arguments of the tool, or those of them that are set.
        changes: Fields that differ from the arguments; None removes a field.
    """
    given = arguments
    if isinstance(arguments, ToolInput):
        given = arguments.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    fields: dict[str, Any] = {**dict(given), **changes}
    options = PipelineOptions.model_validate({key: value for key, value in fields.items() if key in _OPTIONS})
    given = {key: value for key, value in fields.items() if key not in _OPTIONS and value is not None}
    return PipelineCall(pipeline, given, options)


@dataclass(frozen=True, slots=True)
class RunHandler:
    """The handler of a tool whose work is a run."""

    execute: Callable[[ToolCall, Any], Awaitable[PipelineResponse]]
    """Execute the run."""
    outputs: Callable[[ToolCall, PipelineResponse], Sequence[type[BaseModel]]]
    """Select the artifacts to include in the result."""

    async def __call__(self, call: ToolCall, arguments: ToolInput) -> ToolResult:
        """Execute the run and return its result."""
        return self.to_result(call, await self.execute(call, arguments))

    def to_result(self, call: ToolCall, response: PipelineResponse) -> ToolResult:
        """Return the result of a finished run."""
        if response.fault is not None:
            return fault_result(response.fault, call, response)
        return success_result(response, self.outputs(call, response))


def runs_pipeline(
    pipeline: str | Prepare, outputs: Sequence[type[BaseModel]] | Callable[[], Sequence[type[BaseModel]]]
) -> RunHandler:
    """Return the handler of a tool that runs a pipeline.

    Args:
        pipeline: The name of the pipeline, or a function that chooses it for each call.
        outputs: The artifacts to include in the result, or a function that returns them.
    """

    async def execute(call: ToolCall, arguments: ToolInput) -> PipelineResponse:
        if isinstance(pipeline, str):
            prepared = pipeline_call(pipeline, arguments)
        else:
            prepared = await pipeline(call, arguments)
        request = PipelineRequest(type=prepared.pipeline, input=prepared.input, options=prepared.options)
        return await call.runs.execute(request, call.caller)

    return RunHandler(execute, lambda _call, _response: outputs() if callable(outputs) else outputs)


def outputs_of(plan: Plan) -> list[type[BaseModel]]:
    """Return the types of the artifacts that the stages of a plan produce, in order."""
    return [step.signature.output for step in plan.steps() if step.signature.output is not None]


async def execute_call(call: ToolCall) -> ToolResult:
    """Execute a tool call. Every failure becomes a fault result.

    Raises:
        RunDetached: The run continues, but the caller no longer waits for it.
    """

    async def execute() -> ToolResult:
        try:
            arguments = call.tool.input.model_validate(_decode_json_arguments(dict(call.arguments), call.tool.input))
        except ValidationError as error:
            raise invalid_request(call, error) from None  # the original error repeats the values
        _refuse_placeholders(call)
        return await call.tool.handler(call, arguments)

    return await faults_as_results(call, execute)


async def faults_as_results(call: ToolCall, execute: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
    """Return the result of a function, or its failure as a fault result.

    Raises:
        RunDetached: The run continues, but the caller no longer waits for it.
    """
    try:
        return await execute()
    except RunDetached:
        raise
    except StageFailure as failure:
        return fault_result(failure.fault, call)
    except Exception as error:  # noqa: BLE001 - the client gets a fault; the log has the traceback
        logger("container_kit.tools").exception("tool crashed", tool=call.tool.name)
        return fault_result(TOOL_CRASHED(f"{call.tool.name} crashed: {type(error).__name__}").fault, call)


def _refuse_placeholders(call: ToolCall) -> None:
    """Refuse a next action that was sent before its placeholders were replaced."""
    paths = list(find_placeholders(dict(call.arguments)))
    if paths:
        shown = ", ".join(paths[:20])
        raise PLACEHOLDER(
            f"{shown} of {call.tool.name} is still a placeholder",
            evidence=[Evidence(kind="value", where=path, text="a placeholder") for path in paths[:20]],
            fields=shown,
        )


def _decode_json_arguments(arguments: dict[str, Any], model: type[ToolInput]) -> dict[str, Any]:
    """Decode objects and lists that a client sent as JSON text."""
    return {name: _decode_json(value, name, model) for name, value in arguments.items()}


def _decode_json(value: Any, name: str, model: type[ToolInput]) -> Any:
    field = model.model_fields.get(name)
    if not isinstance(value, str) or field is None or not value.lstrip().startswith(("{", "[")):
        return value
    if not any(kind in str(field.annotation) for kind in ("dict", "tuple", "list")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
