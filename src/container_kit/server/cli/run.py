"""`container-kit run TOOL TARGET [options]`: a tool on the command line.

Runs that change something are kept in the same store as those of servers: the next process on the store resumes a run
whose process was killed, and assistants see it too.
"""

from __future__ import annotations

import argparse
import json
import types
import typing
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from glob import escape
from typing import Any

import anyio
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from container_kit.pipelines.durable.config import DurableConfig
from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.service import RunService
from container_kit.server import logs, telemetry
from container_kit.server.cli.console import Console, make_console
from container_kit.server.cli.prompt import terminal_prompt
from container_kit.server.settings import Settings, load
from container_kit.server.signals import run_until_signal
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.contract.workspace import Workspace
from container_kit.tools.custom import custom_tool, load_custom_pipelines, pipeline_finder
from container_kit.tools.pipeline_tool import execute_call
from container_kit.tools.registry import ALL
from container_kit.tools.tool import Tool, ToolCall, ToolResult

_TARGET = "the target"  # with a space, so that no option has this name
_TARGETS = ("path", "image", "run")


def run(words: Sequence[str]) -> int:
    """Run a tool and show its progress. Only the result goes to stdout.

    Args:
        words: The name of the tool, its target and its options.

    Raises:
        ConfigurationError: There is no such tool, or the settings are invalid.
    """
    settings = load()
    custom = load_custom_pipelines(settings.pipelines)
    tools = {tool.name: tool for tool in (*ALL, *map(custom_tool, custom))}
    if not words or words[0] in ("-h", "--help"):
        return _print_tools(tools.values())
    if words[0] not in tools:
        raise ConfigurationError(f"there is no tool {words[0]!r}; choose from {', '.join(tools)}")
    tool = tools[words[0]]
    options = vars(parser_of(tool).parse_args(words[1:]))
    as_json = options.pop("json")
    logs.configure(settings.log_level, settings.log_format)
    telemetry.configure()
    console = make_console(quiet=as_json)
    prompt = terminal_prompt(console)
    arguments = _arguments(tool, options)
    call = ToolCall(
        tool=tool,
        arguments=arguments,
        runs=RunService(
            _workspace(settings, options.get(_TARGET)),
            _store(settings, tool),
            find=pipeline_finder(custom, settings.deployment_targets, _policy(settings, arguments)),
            targets=settings.deployment_targets,
            all_workspaces=True,
        ),
        tools=tools,
        caller=Caller(on_event=console.on_event, interactive=prompt is not None, prompt=prompt),
    )
    return anyio.run(_execute, call, console, as_json)


def _print_tools(tools: Iterable[Tool]) -> int:
    print("usage: container-kit run TOOL PATH|IMAGE|RUN [options]\n")  # noqa: T201
    for tool in tools:
        print(f"  {tool.name:18} {tool.title}")  # noqa: T201
    print("\n`container-kit run TOOL --help` shows the options of a tool.")  # noqa: T201
    return 0


def _store(settings: Settings, tool: Tool) -> DurableConfig:
    """Return the store. A read-only command resumes no runs of crashed processes, so that it ends quickly."""
    store = settings.run_store()
    return replace(store, role="server") if tool.effect == "read_only" else store


async def _execute(call: ToolCall, console: Console, as_json: bool) -> int:
    results: list[ToolResult] = []

    async def execute() -> None:
        results.append(await execute_call(call))

    async with call.runs.open():
        with console:
            interrupted = await run_until_signal(execute)
        if interrupted or not results:
            console.interrupted()
            return 130
        code = _print_result(results[0], console, as_json)
        if call.runs.executing_here:
            console.resuming(len(call.runs.executing_here))
            await run_until_signal(call.runs.drain)
    return code


def _print_result(result: ToolResult, console: Console, as_json: bool) -> int:
    if as_json:
        print(json.dumps(result.data, indent=2, ensure_ascii=False))  # noqa: T201
    elif result.fault is not None:
        console.fault(result.fault)
    else:
        console.success(result)
    return 0 if result.fault is None else 1


def parser_of(tool: Tool) -> argparse.ArgumentParser:
    """Return the command line parser of a tool: its target by position, its other arguments as options."""
    parser = argparse.ArgumentParser(prog=f"container-kit run {tool.name}", description=tool.description)
    fields = tool.input.model_fields
    by_position = positional_fields(fields)
    if by_position:
        metavar = "|".join(name.upper() for name in by_position)
        is_optional = bool({*_TARGETS} & {*fields} - {*by_position})
        parser.add_argument(_TARGET, metavar=metavar, nargs="?" if is_optional else None)
    for name, field in fields.items():
        if name not in by_position and name != "options":  # each of its fields is an option
            _add_option(parser, name, field)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def positional_fields(fields: Collection[str]) -> tuple[str, ...]:
    """Return the arguments that are passed by position: path and image, else run."""
    return tuple(name for name in ("path", "image") if name in fields) or ("run",) * ("run" in fields)


def _add_option(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    kind = _type_of(field.annotation)
    options: dict[str, Any] = {"dest": name, "default": None, "help": _description(field)}
    if kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif typing.get_origin(kind) is dict:
        options |= {"action": "append", "metavar": "NAME=VALUE"}
    elif typing.get_origin(kind) is tuple:
        options["metavar"] = "JSON"
    else:
        options["metavar"] = getattr(kind, "__name__", "TEXT").upper().replace("STR", "TEXT")
    parser.add_argument(f"--{name.replace('_', '-')}", **options)


def _description(field: FieldInfo) -> str | None:
    """Return the description of a field, which `Annotated[X, Field(…)] | None` holds in its first part."""
    parts = [field, *(data for part in typing.get_args(field.annotation) for data in typing.get_args(part)[1:])]
    return next((part.description for part in parts if isinstance(part, FieldInfo) and part.description), None)


def _type_of(annotation: Any) -> Any:
    """Return the type behind `Annotated` and `| None`."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _type_of(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return _type_of(next(kind for kind in typing.get_args(annotation) if kind is not type(None)))
    return annotation


def _arguments(tool: Tool, options: dict[str, Any]) -> dict[str, JsonValue]:
    arguments = {name: value for name, value in options.items() if value is not None and name != _TARGET}
    target = options.get(_TARGET)
    if target is not None:
        arguments[_target_kind(tool, target)] = target
    return {name: _pairs(name, value) if isinstance(value, list) else value for name, value in arguments.items()}


def _target_kind(tool: Tool, target: str) -> str:
    """Return whether a target is a path, an image or a run. An existing folder is a path, as is `./NAME`."""
    from pathlib import Path

    kinds = positional_fields(tool.input.model_fields)
    if len(kinds) == 1:
        return kinds[0]
    return "path" if target.startswith((".", "/", "~")) or Path(target).is_dir() else "image"


def _pairs(name: str, values: list[str]) -> dict[str, JsonValue]:
    pairs = [value.partition("=") for value in values]
    if not all(separator for _, separator, _ in pairs):
        raise ConfigurationError(f"--{name.replace('_', '-')} takes NAME=VALUE")
    return {key: value for key, _, value in pairs}


def _policy(settings: Settings, arguments: dict[str, JsonValue]) -> OperatorPolicy:
    """Return the operator's rules. A variable that a person named on the command line may be given to the build."""
    secrets = arguments.get("secrets")
    places = [str(place) for place in secrets.values()] if isinstance(secrets, dict) else []
    names = [escape(place.removeprefix("env:")) for place in places if place.startswith("env:")]
    return settings.policy.model_copy(update={"build_secrets": (*settings.policy.build_secrets, *names)})


def _workspace(settings: Settings, target: str | None) -> Workspace:
    """Return the workspace. A path on the command line is trusted, unless the operator has set a workspace."""
    from pathlib import Path

    roots = list(settings.workspace)
    if target and "workspace" not in settings.model_fields_set:
        roots.append(Path(target).expanduser().absolute())
    return Workspace(roots)
