"""`analyze`: what a repository holds and how it runs."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import ModulePath, SourcePath
from container_kit.tools.pipeline_tool import PipelineCall, pipeline_call, runs_pipeline
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Tool, ToolCall, ToolInput


class AnalyzeInput(ToolInput):
    """What to look at."""

    path: SourcePath
    module: ModulePath | None = None


async def _planned(_: ToolCall, asked: AnalyzeInput) -> PipelineCall:
    return pipeline_call("analyze", asked)


ANALYZE = Tool(
    name=ToolName.ANALYZE,
    title="Analyze a repository",
    description=(
        "What a repository holds and how it runs: modules, language, framework, commands, port, variables, "
        "services, Dockerfiles, risks, each with file:line. Changes nothing. Next: write-dockerfile where there is "
        "none, else build; or full-deployment for all at once."
    ),
    input=AnalyzeInput,
    output=answer_schema(Analysis),
    toolset="build",
    effect="read_only",
    work=runs_pipeline(_planned, (Analysis,)),
    idempotent=True,
)
