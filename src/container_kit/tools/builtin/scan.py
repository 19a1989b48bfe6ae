"""`scan`: find vulnerabilities in an image or a repository."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, WithJsonSchema

from container_kit.stages.artifacts.scan import AllowedFinding, Sbom, ScanReport
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import FailOn, scan_policy
from container_kit.tools.builtin._image_source import ImageSourceInput, image_of_run
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolCall


class ScanInput(ImageSourceInput):
    """The arguments of `scan`."""

    unlisted: ClassVar[frozenset[str]] = frozenset({"allow", "require_scanner"})

    fail_on: FailOn = "critical"
    only_fixable: Annotated[bool, Field(description="Fail only if a fix exists")] = True
    sbom: Annotated[bool, Field(description="Create a CycloneDX SBOM")] = False
    require_scanner: bool = False
    allow: Annotated[
        tuple[AllowedFinding, ...],
        Field(description="Accept: id, reason, expires (YYYY-MM-DD), package"),
        WithJsonSchema({"type": "array", "items": {"type": "object"}}),
    ] = ()


async def _prepare(call: ToolCall, arguments: ScanInput) -> PipelineCall:
    if arguments.path is not None:
        prepared = pipeline_call("scan-source", arguments)
    elif arguments.run is not None:
        image = await image_of_run(call, arguments.run)
        prepared = pipeline_call("scan", arguments, run=None, image=image.id)
    else:
        prepared = pipeline_call("scan", arguments)
    return PipelineCall(prepared.pipeline, scan_policy(prepared.input), prepared.options)


SCAN = Tool(
    name=ToolName.SCAN,
    title="Scan for vulnerabilities",
    description=(
        "Find vulnerabilities in an image (image, or the run that built it) or a repository (path), and the "
        "changes that remove most. Outcome: clean, findings, unavailable or stale. Findings at or above fail_on "
        "are a failure. Changes nothing. Next: make the changes and build, or deploy. More: schema://scan."
    ),
    input=ScanInput,
    output=result_schema(ScanReport),
    toolset="scan",
    effect="read_only",
    handler=runs_pipeline(_prepare, (ScanReport, Sbom)),
    idempotent=True,
    open_world=True,
)
