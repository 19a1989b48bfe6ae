"""Tools backed by a pipeline: arguments to a request, the run, its response to an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from container_kit.pipelines.plan import Plan
from container_kit.pipelines.request import PipelineOptions, PipelineRequest, PipelineResponse
from container_kit.pipelines.runs.client import RunDetached
from container_kit.stages.contract.fault import FaultCode, StageFailure
from container_kit.stages.contract.log import logger
from container_kit.tools.builtin._fields import parsed
from container_kit.tools.results.fault import failure, invalid_request
from container_kit.tools.results.success import success
from container_kit.tools.tool import ToolCall, ToolInput, ToolResult

TOOL_CRASHED = FaultCode(
    "tool.crashed",
    means="A tool raised an exception of its own: a defect in Container Kit.",
    hint="Report it with the server's log; the arguments are not the cause.",
)

_OPTIONS = frozenset(PipelineOptions.model_fields)


@dataclass(frozen=True, slots=True)
class PipelineCall:
    """Which pipeline a call runs, and on what."""

    pipeline: str
    input: dict[str, JsonValue]
    options: PipelineOptions


def pipeline_call(pipeline: str, asked: ToolInput, **changes: JsonValue) -> PipelineCall:
    """Make a plan of a tool's input; fields left out stay so, that the pipeline's own defaults hold.

    Args:
        changes: Fields that differ; None leaves one out.
    """
    fields: dict[str, Any] = {**asked.model_dump(mode="json", exclude_unset=True, exclude_none=True), **changes}
    options = PipelineOptions.model_validate({key: value for key, value in fields.items() if key in _OPTIONS})
    given = {key: value for key, value in fields.items() if key not in _OPTIONS and value is not None}
    return PipelineCall(pipeline, given, options)


@dataclass(frozen=True, slots=True)
class RunHandler:
    """The work of a tool that a run does."""

    run: Callable[[ToolCall, Any], Awaitable[PipelineResponse]]
    """Has it done."""
    products: Callable[[ToolCall, PipelineResponse], Sequence[type[BaseModel]]]
    """What to tell of what was made."""

    async def __call__(self, call: ToolCall, asked: ToolInput) -> ToolResult:
        """Have it done, and tell how it ended."""
        return self.conclude(call, await self.run(call, asked))

    def conclude(self, call: ToolCall, response: PipelineResponse) -> ToolResult:
        """Tell how a run ended; the same whenever it is told."""
        if response.fault is not None:
            return failure(response.fault, call)
        return success(response, self.products(call, response))


def runs_pipeline(
    planned: Callable[[ToolCall, Any], Awaitable[PipelineCall]], products: Sequence[type[BaseModel]]
) -> RunHandler:
    """The work of a tool that runs a pipeline."""

    async def run(call: ToolCall, asked: ToolInput) -> PipelineResponse:
        made = await planned(call, asked)
        request = PipelineRequest(type=made.pipeline, input=made.input, options=made.options)
        return await call.runs.execute_run(request, call.asker)

    return RunHandler(run, lambda _call, _response: products)


def products_of(pipeline: Plan) -> list[type[BaseModel]]:
    """What a pipeline makes, in order."""
    return [step.signature.output for step in pipeline.steps() if step.signature.output is not None]


async def answer(call: ToolCall) -> ToolResult:
    """Carry out a call. Every failure is an answer.

    Raises:
        StillRunning: The call's run goes on, and the asker waits no longer.
    """

    async def work() -> ToolResult:
        try:
            asked = call.offer.input.model_validate(parsed(dict(call.arguments), call.offer.input))
        except ValidationError as error:
            raise invalid_request(call, error) from None  # the error would repeat the values
        return await call.offer.work(call, asked)

    return await told(call, work)


async def told(call: ToolCall, work: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
    """What work answers, or the failure that it ended with as an answer.

    Raises:
        StillRunning: The call's run goes on, and the asker waits no longer.
    """
    try:
        return await work()
    except RunDetached:
        raise
    except StageFailure as stage_failure:
        return failure(stage_failure.fault, call)
    except Exception as error:  # noqa: BLE001 - an assistant must be told; the log holds the rest
        logger("container_kit.tools").exception("tool crashed", tool=call.offer.name)
        return failure(TOOL_CRASHED(f"{call.offer.name} crashed: {type(error).__name__}").fault, call)
