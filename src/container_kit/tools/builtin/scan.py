"""`scan`: vulnerabilities of an image or a repository, and what to change."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from container_kit.stages.artifacts.scan import AllowedFinding, Sbom, ScanReport
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import FailOn, OneTarget, gate, image_of
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall


class ScanInput(OneTarget):
    """What to scan, and what the gate refuses."""

    fail_on: FailOn = "critical"
    only_fixable: Annotated[bool, Field(description="Refuse only what a fix exists for")] = True
    sbom: Annotated[bool, Field(description="Also list the packages")] = False
    require_scanner: Annotated[bool, Field(description="Refuse when no scanner could look")] = False
    allow: Annotated[
        tuple[AllowedFinding, ...],
        Field(description="Let pass: id, reason, expires (YYYY-MM-DD), package"),
        WithJsonSchema({"type": "array", "items": {"type": "object"}}),
    ] = ()


async def _planned(call: ToolCall, asked: ScanInput) -> PipelineCall:
    if asked.path is not None:
        made = pipeline_call("scan-source", asked)
    elif asked.run is not None:
        made = pipeline_call("scan", asked, run=None, image=(await image_of(call, asked.run)).id)
    else:
        made = pipeline_call("scan", asked)
    return PipelineCall(made.pipeline, gate(made.input), made.options)


SCAN = Tool(
    name=ToolName.SCAN,
    title="Scan for vulnerabilities",
    description=(
        "Look for vulnerabilities in an image (image, or the run that built it) or a repository (path), and for "
        "the changes that remove most. Outcome: clean, findings, unavailable, stale. A refused gate is a failure. "
        "Next: make the changes and build, or deploy."
    ),
    input=ScanInput,
    output=answer_schema(ScanReport),
    toolset="scan",
    effect="read_only",
    work=runs_pipeline(_planned, (ScanReport, Sbom)),
    idempotent=True,
    open_world=True,
)
