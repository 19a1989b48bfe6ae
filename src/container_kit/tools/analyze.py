"""`analyze`: what a repository holds and how it runs."""

from __future__ import annotations

from container_kit.pipelines.request import PipelineResponse
from container_kit.stages.artifacts.analysis import Analysis, Module
from container_kit.tools.inputs import ModulePath, SourcePath
from container_kit.tools.offer import Call, Offer, ToolInput
from container_kit.tools.pipeline_tool import Plan, backed_by_pipeline, plan
from container_kit.tools.schema import answer_schema


class AnalyzeInput(ToolInput):
    """What to look at."""

    path: SourcePath
    module: ModulePath | None = None


async def _planned(_: Call, asked: AnalyzeInput) -> Plan:
    return plan("analyze", asked)


def _summary(response: PipelineResponse) -> str:
    analysis = response.made[Analysis]
    lines = [f"{len(analysis.modules)} modules in {analysis.root}"]
    lines += [_module_line(module) for module in analysis.modules[:20]]
    lines.append(f"Dockerfile: {analysis.dockerfile or 'none; write-dockerfile makes one'}")
    lines += [f"risk: {risk.message} ({risk.place or risk.kind})" for risk in analysis.risks[:10]]
    return "\n".join(lines)


def _module_line(module: Module) -> str:
    facts = {
        "language": f"{module.language.value or '?'} {module.language_version.value or ''}".strip(),
        "framework": module.framework.value,
        "start": module.start_command.value,
        "port": module.port.value,
        "health": module.health_endpoint.value,
        "needs": ", ".join(service.kind for service in module.services),
    }
    told = "; ".join(f"{name} {value}" for name, value in facts.items() if value)
    return f"- {module.path} ({module.role.value or 'unknown role'}): {told}"


ANALYZE = Offer(
    name="analyze",
    title="Analyze a repository",
    description=(
        "Find out what a repository holds and how it runs: modules, language, framework, commands, port, variables, "
        "services, existing Dockerfiles, risks; each with file:line and confidence. Changes nothing. Use it before "
        "writing or repairing a Dockerfile. Next: write-dockerfile where there is none, else build; or "
        "full-deployment for all at once."
    ),
    input=AnalyzeInput,
    output=answer_schema(Analysis),
    toolset="build",
    effect="reads",
    work=backed_by_pipeline(_planned, (Analysis,), _summary),
    idempotent=True,
)
