"""Resources and prompts: runs, logs, SBOMs and pipelines that clients can read without a tool call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.artifacts.scan import Sbom
from container_kit.stages.contract.fault import ConfigurationError, StageFailure
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.builtin._options import OPTIONS
from container_kit.tools.protocol.identity import current_principal
from container_kit.tools.results.pipeline_json import plan_json
from container_kit.tools.results.run_fault import with_ready_actions
from container_kit.tools.results.run_json import run_json
from container_kit.tools.tool import Tool

_LOG_LINES = 1000
_CYCLONEDX = "application/vnd.cyclonedx+json"
_JSON = "application/json"


def add_resources(server: MCPServer, runs: RunService, tools: Mapping[str, Tool]) -> None:
    """Add the templates of runs (`run://{id}`, its logs and its SBOM), `pipeline://{name}` and `schema://{name}`."""

    async def run(id: str) -> str:  # noqa: A002 - the name in the template
        with _not_found_errors():
            principal = current_principal()
            info = await runs.backend(id).get(id, principal)
            return json.dumps(run_json(await with_ready_actions(info, runs, principal, tools)))

    async def log(id: str, stage: str, first: int = 0, lines: int = _LOG_LINES) -> str:  # noqa: A002 - as above
        principal = current_principal()
        count = max(1, min(lines, _LOG_LINES))
        with _not_found_errors():
            part = await runs.backend(id).log(id, principal, stage, first or None, count)
        return "\n".join(part.lines)

    async def sbom(id: str) -> str:  # noqa: A002 - as above
        with _not_found_errors():
            artifacts = await runs.backend(id).artifacts(id, current_principal())
        document = artifacts.get(Sbom)
        if document is None:
            raise ResourceNotFoundError(f"run {id} has no SBOM; call scan with sbom=true")
        return document.document

    def pipeline(name: str) -> str:
        with _not_found_errors():
            return json.dumps(plan_json(runs.find(name)))

    def schema(name: str) -> str:
        models = OPTIONS | {tool.name: tool.input for tool in tools.values()}
        if name not in models:
            raise ResourceNotFoundError(f"there is no schema {name[:100]!r}; the schemas are {', '.join(models)}")
        return json.dumps(models[name].model_json_schema())

    add: Any = server.resource
    add(
        "schema://{name}",
        name="schema",
        description="The JSON schema of a tool's arguments, those that tools/list omits included, or of its options",
        mime_type="application/schema+json",
    )(schema)
    add("run://{id}", name="run", description="The status of a run", mime_type=_JSON)(run)
    add(
        "run://{id}/stages/{stage}/log{?first,lines}",
        name="log",
        description="Lines of a stage's log; default: the last lines",
        mime_type="text/plain",
    )(log)
    add("run://{id}/sbom", name="sbom", description="The SBOM of a scan (CycloneDX)", mime_type=_CYCLONEDX)(sbom)
    add(
        "pipeline://{name}",
        name="pipeline",
        description="The plan of a pipeline: stages with their inputs and output, and the inputs of a run",
        mime_type=_JSON,
    )(pipeline)


@contextmanager
def _not_found_errors() -> Iterator[None]:
    """Raise failures as the SDK's error for resources."""
    try:
        yield
    except (StageFailure, ConfigurationError) as error:
        raise ResourceNotFoundError(str(error)) from error


def add_prompts(server: MCPServer, tools: Mapping[str, Tool]) -> None:
    """Add the prompts whose tools the server has."""

    def containerize(path: str) -> str:
        return (
            f"Containerize the repository at {path}. Call full-deployment with dry_run first and show me what it would "
            "do, then call it. If it fails, fix the file that the fault names and send its first next action."
        )

    def repair_run(run: str) -> str:
        return (
            f"Run {run} failed. Call get-run with the failed stage to read its log. Explain the cause in one sentence "
            "with file:line, fix it, then call retry-run."
        )

    def review_scan(image: str) -> str:
        return (
            f"Scan {image} with scan. List the important findings, worst first, and propose the fewest changes that "
            "remove most of them, each with the file and line to edit. Say so if no scanner was available."
        )

    prompts: tuple[tuple[ToolName, str, Any, str], ...] = (
        (ToolName.FULL_DEPLOYMENT, "containerize", containerize, "Turn a repository into a running container"),
        (ToolName.RETRY_RUN, "repair-run", repair_run, "Find out why a run failed, fix it and retry"),
        (ToolName.SCAN, "review-scan", review_scan, "Review the vulnerabilities of an image"),
    )
    for tool, name, prompt, description in prompts:
        if tool in tools:
            add: Any = server.prompt(name=name, description=description)
            add(prompt)
