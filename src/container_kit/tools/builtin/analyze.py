"""`analyze`: what a repository holds and how it runs."""

from __future__ import annotations

from container_kit.stages.artifacts.analysis import Analysis
from container_kit.tools.builtin._fields import ModulePath, SourcePath
from container_kit.tools.pipeline_tool import Plan, backed_by_pipeline, plan
from container_kit.tools.results.schema import answer_schema
from container_kit.tools.tool import Call, Offer, ToolInput


class AnalyzeInput(ToolInput):
    """What to look at."""

    path: SourcePath
    module: ModulePath | None = None


async def _planned(_: Call, asked: AnalyzeInput) -> Plan:
    return plan("analyze", asked)


ANALYZE = Offer(
    name="analyze",
    title="Analyze a repository",
    description=(
        "What a repository holds and how it runs: modules, language, framework, commands, port, variables, "
        "services, Dockerfiles, risks, each with file:line. Changes nothing. Next: write-dockerfile where there is "
        "none, else build; or full-deployment for all at once."
    ),
    input=AnalyzeInput,
    output=answer_schema(Analysis),
    toolset="build",
    effect="reads",
    work=backed_by_pipeline(_planned, (Analysis,)),
    idempotent=True,
)
