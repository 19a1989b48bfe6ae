"""Resources and prompts: runs, their logs and the pipelines, to be read without a tool."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.request_state import authenticated_principal

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.artifacts.scan import Sbom
from container_kit.stages.contract.fault import StageFailure, WiringError
from container_kit.tools.results.pipeline_json import plan_data
from container_kit.tools.results.run_json import run_data
from container_kit.tools.tool import Tool

_LOG_LINES = 1000
_CYCLONEDX = "application/vnd.cyclonedx+json"


def add_resources(server: MCPServer, runs: RunService) -> None:
    """Add what can be read: `run://{id}`, `run://{id}/stages/{stage}/log{?first,lines}`, `run://{id}/sbom`, `pipeline://{name}`."""

    async def run(id: str, ctx: Context[Any, Any]) -> str:  # noqa: A002 - the name in the template
        try:
            return json.dumps(run_data(await runs.get(id, authenticated_principal(ctx.request_context))))
        except StageFailure as failure:
            raise ResourceNotFoundError(str(failure)) from failure

    async def log(id: str, stage: str, ctx: Context[Any, Any], first: int = 0, lines: int = _LOG_LINES) -> str:  # noqa: A002 - as above
        principal = authenticated_principal(ctx.request_context)
        count = max(1, min(lines, _LOG_LINES))
        try:
            part = await runs.log(id, stage, first=first or None, count=count, principal=principal)
        except StageFailure as failure:
            raise ResourceNotFoundError(str(failure)) from failure
        return "\n".join(part.lines)

    async def sbom(id: str, ctx: Context[Any, Any]) -> str:  # noqa: A002 - as above
        try:
            made = (await runs.artifacts(id, authenticated_principal(ctx.request_context))).get(Sbom)
        except StageFailure as failure:
            raise ResourceNotFoundError(str(failure)) from failure
        if made is None:
            raise ResourceNotFoundError(f"run {id} made no bill of materials; call scan with sbom")
        return made.document

    def pipeline(name: str) -> str:
        try:
            return json.dumps(plan_data(runs.find(name)))
        except WiringError as error:
            raise ResourceNotFoundError(str(error)) from error

    add: Any = server.resource
    json_type, plain = "application/json", "text/plain"
    add("run://{id}", name="run", description="How a run stands or ended", mime_type=json_type)(run)
    add(
        "run://{id}/stages/{stage}/log{?first,lines}",
        name="log",
        description="Lines of a stage's log; by default the last ones",
        mime_type=plain,
    )(log)
    add("run://{id}/sbom", name="sbom", description="Bill of materials (CycloneDX)", mime_type=_CYCLONEDX)(sbom)
    add(
        "pipeline://{name}",
        name="pipeline",
        description="Its plan: stages, what each needs and makes, input",
        mime_type=json_type,
    )(pipeline)


def add_prompts(server: MCPServer, offered: Mapping[str, Tool]) -> None:
    """Add prompts for those jobs whose tools are offered."""

    def containerize(path: str) -> str:
        return (
            f"Containerize the repository at {path}: call full-deployment with dry_run first, tell me what it would "
            "do, then call it. If it fails, mend the file that the fault names and send its first next action."
        )

    def repair_run(run: str) -> str:
        return (
            f"Run {run} failed. Call get-run for it, with the failed stage for its log. Explain the cause in one "
            "sentence with file:line, mend it, and call retry-run."
        )

    def review_scan(image: str) -> str:
        return (
            f"Scan {image} with scan. List what matters, the worst first, and propose the fewest changes that remove "
            "most of it, each with the file and line to edit. Say so if no scanner could look."
        )

    prompts: tuple[tuple[str, str, Any, str], ...] = (
        ("full-deployment", "containerize", containerize, "From a repository to a running container"),
        ("retry-run", "repair-run", repair_run, "Find out why a run failed, mend it, go on"),
        ("scan", "review-scan", review_scan, "Review the vulnerabilities of an image"),
    )
    for tool, name, prompt, description in prompts:
        if tool in offered:
            add: Any = server.prompt(name=name, description=description)
            add(prompt)
