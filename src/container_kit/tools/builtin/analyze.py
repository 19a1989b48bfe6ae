"""`analyze`: inspect a repository."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._fields import ModulePath, SourcePath
from container_kit.tools.pipeline_tool import runs_pipeline
from container_kit.tools.results.schema import result_schema
from container_kit.tools.tool import Tool, ToolInput


class AnalyzeInput(ToolInput):
    """The arguments of `analyze`."""

    path: SourcePath
    module: ModulePath | None = None


ANALYZE = Tool(
    name=ToolName.ANALYZE,
    title="Analyze a repository",
    description=(
        "Inspect a repository: modules, language, framework, commands, port, variables, services, Dockerfiles and "
        "risks, each with file:line. Changes nothing. Next: write-dockerfile if there is no Dockerfile, else build."
    ),
    input=AnalyzeInput,
    output=result_schema(Analysis),
    toolset="build",
    effect="read_only",
    handler=runs_pipeline("analyze", (Analysis,)),
    idempotent=True,
)
