"""A server with the tools of the task scenarios of the conformance suite, on real tasks and runs.

`python -m support.mcp.conformance_server FOLDER` serves on a free port, prints it, and keeps its runs in the folder.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Context, Elicit, Resolve, require_client_extension
from mcp.shared.exceptions import MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY, CallToolResult
from pydantic import BaseModel

from container_kit import Artifact, AtomicPipeline, FaultCode, Pipeline, Stage, StageContext, Workspace
from container_kit.pipelines.runs.service import RunService
from container_kit.server.app import make_server
from container_kit.server.settings import Settings
from container_kit.server.web.auth import transport_security
from container_kit.server.web.credentials import ValidCredentials
from container_kit.server.web.transports import http_app, listen, serve_http, url_of
from container_kit.tools.custom import custom_tool, pipeline_finder
from container_kit.tools.protocol.tasks.handoff import TASKS
from container_kit.tools.protocol.tool_adapter import SdkTool
from container_kit.tools.tool import Tool, ToolCall, ToolInput, ToolResult

JOB_FAILED = FaultCode("job.failed", means="The job failed, as it always does.", hint="Do not call it.")


class Work(Artifact):
    seconds: float = 1.0
    label: str = ""


class Person(Artifact):
    name: str


class File(Artifact):
    filename: str = ""


class Done(Artifact):
    text: str


class Compute(Stage[Done]):
    async def execute(self, ctx: StageContext, work: Work) -> Done:
        await anyio.sleep(work.seconds)
        return Done(text=f"computed {work.label}")


class Fail(Stage[Done]):
    async def execute(self, ctx: StageContext) -> Done:
        await anyio.sleep(1)
        raise JOB_FAILED("the job failed")


class Greet(Stage[Done]):
    async def execute(self, ctx: StageContext, person: Person) -> Done:
        await anyio.sleep(1)
        return Done(text=f"Hello, {person.name}!")


class Delete(Stage[Done]):
    async def execute(self, ctx: StageContext, file: File) -> Done:
        return Done(text=f"deleted {file.filename}")


class Join(Stage[Done]):
    async def execute(self, ctx: StageContext) -> Done:
        return Done(text="joined")


def pipelines() -> list[Pipeline]:
    confirm = AtomicPipeline("confirm_delete", inputs=File)
    confirm.add_approval("delete", lambda made: f"Delete {made[File].filename}?").add_stage(Delete())
    several = AtomicPipeline("multi_input")
    several.add_approval("first", lambda _: "The first?").add_approval("second", lambda _: "The second?")
    return [
        AtomicPipeline("slow_compute", inputs=Work).add_stage(Compute()),
        AtomicPipeline("failing_job").add_stage(Fail()),
        AtomicPipeline("protocol_error_job").add_stage(Fail()),
        AtomicPipeline("greet_slowly", inputs=Person).add_stage(Greet()),
        confirm,
        several.add_stage(Join()),
    ]


class GreetInput(ToolInput):
    name: str


async def _greet(_: ToolCall, asked: GreetInput) -> ToolResult:
    return ToolResult(f"Hello, {asked.name}!", {})


GREET = Tool(
    name="greet",
    title="Greet",
    description="Greet somebody.",
    input=GreetInput,
    output={"type": "object"},
    toolset="custom",
    effect="read_only",
    handler=_greet,
)


class Name(BaseModel):
    name: str


async def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


async def _only_where_declared(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Reject clients that lack the capability of a tool."""
    tool = (ctx.params or {}).get("name") if ctx.method == "tools/call" else None
    if tool == "failing_job":
        require_client_extension(ctx, TASKS)
    if tool == "test_missing_capability" and not getattr(ctx.session.client_capabilities, "sampling", None):
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "no sampling", {"requiredCapabilities": {"sampling": {}}})
    return await call_next(ctx)


def server_of(runs: RunService, tools: list[Tool]) -> MCPServer:
    """Return a server with these tools and two that ask and fail unlike any built-in tool."""
    by_name = {tool.name: tool for tool in tools}
    gone = by_name.pop("protocol_error_job")
    server = make_server(runs, by_name.values())

    async def execute_run(tool: Tool, arguments: dict[str, Any], ctx: Context[Any, Any]) -> Any:
        sdk_tool = SdkTool.of(tool, runs, by_name)
        return await sdk_tool.run(arguments, Context(request_context=ctx.request_context, mcp_server=server))

    async def test_tool_with_task(ctx: Context[Any, Any], person: Annotated[Name, Resolve(ask_name)]) -> CallToolResult:
        result: CallToolResult = await execute_run(by_name["greet_slowly"], {"name": person.name}, ctx)
        return result

    async def protocol_error_job(ctx: Context[Any, Any]) -> CallToolResult:
        """Detach from a run whose tool the server then no longer has."""
        result: CallToolResult = await execute_run(gone, {}, ctx)
        return result

    def test_missing_capability() -> str:
        """Require sampling."""
        return "carried out"

    server.add_tool(test_missing_capability)
    server.add_tool(test_tool_with_task)
    server.add_tool(protocol_error_job)
    server.middleware.append(_only_where_declared)
    return server


def main(folder: Path) -> None:
    settings = Settings(port=0, home=folder, workspace=(folder,), rate_limit_per_minute=6000)
    own = pipelines()
    runs = RunService(Workspace([folder]), settings.run_store(), find=pipeline_finder(own))
    server = server_of(runs, [GREET, *map(custom_tool, own)])
    app = http_app(server, "http", settings, transport_security(settings), ValidCredentials())
    with listen(settings) as listening:
        sys.stderr.write(f"serving {url_of(listening, 'http')}\n")
        sys.stderr.flush()
        anyio.run(serve_http, app, runs, listening, settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
