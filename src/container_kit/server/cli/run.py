"""`container-kit run TOOL TARGET [options]`: a tool's work on the command line.

What changes the world is kept in the same store as the servers' runs: one that was killed here goes on with the next
process on the store, and assistants see it too.
"""

from __future__ import annotations

import argparse
import json
import types
import typing
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

import anyio
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from container_kit.pipelines.runs.client import Caller
from container_kit.pipelines.runs.config import Store
from container_kit.pipelines.runs.service import RunService
from container_kit.server import logs, settings, telemetry
from container_kit.server.cli.console import Console, make_console
from container_kit.server.cli.prompt import person_at_terminal
from container_kit.server.web.transports import until_signalled
from container_kit.stages.contract.fault import WiringError
from container_kit.stages.contract.workspace import Workspace
from container_kit.tools.custom import finder, offer_of, own_pipelines
from container_kit.tools.pipeline_tool import answer
from container_kit.tools.registry import ALL
from container_kit.tools.tool import Tool, ToolCall, ToolResult

_TARGET = "its target"  # no option can be called so
_TARGETS = ("path", "image", "run")


def run(words: Sequence[str]) -> int:
    """Do a tool's work and show how it goes; the result is the only thing on stdout.

    Args:
        words: The tool's name, then its target and options.

    Raises:
        WiringError: There is no such tool, or the settings cannot be used.
    """
    chosen = settings.load()
    own = own_pipelines(chosen.pipelines)
    offered = {offer.name: offer for offer in (*ALL, *map(offer_of, own))}
    if not words or words[0] in ("-h", "--help"):
        return _list(offered.values())
    if words[0] not in offered:
        raise WiringError(f"no tool {words[0]!r}; there are {', '.join(offered)}")
    offer = offered[words[0]]
    asked = vars(parser_of(offer).parse_args(words[1:]))
    as_json = asked.pop("json")
    logs.configure(chosen.log_level, chosen.log_format)
    telemetry.configure()
    console = make_console(quiet=as_json)
    person = person_at_terminal(console)
    call = ToolCall(
        offer=offer,
        arguments=_arguments(offer, asked),
        runs=RunService(
            _workspace(chosen, asked.get(_TARGET)),
            _store(chosen, offer),
            find=finder(own, chosen.deployment_targets),
            targets=chosen.deployment_targets,
        ),
        offered=offered,
        asker=Caller(on_event=console.on_event, interactive=person is not None, ask=person),
    )
    return anyio.run(_carry_out, call, console, as_json)


def _list(offers: Iterable[Tool]) -> int:
    print("usage: container-kit run TOOL PATH|IMAGE|RUN [options]\n")  # noqa: T201
    for offer in offers:
        print(f"  {offer.name:18} {offer.title}")  # noqa: T201
    print("\n`container-kit run TOOL --help` shows the options of one.")  # noqa: T201
    return 0


def _store(chosen: settings.Settings, offer: Tool) -> Store:
    """The store; a command that only looks takes over no runs of others, for it is to end at once."""
    store = chosen.store_of_runs()
    return replace(store, role="server") if offer.effect == "read_only" else store


async def _carry_out(call: ToolCall, console: Console, as_json: bool) -> int:
    answers: list[ToolResult] = []

    async def work() -> None:
        answers.append(await answer(call))

    async with call.runs.opened():
        with console:
            interrupted = await until_signalled(work)
        if interrupted or not answers:
            console.interrupted()
            return 130
        code = _show(answers[0], console, as_json)
        if call.runs.executing_here:
            console.finishing(len(call.runs.executing_here))
            await until_signalled(call.runs.finish)
    return code


def _show(answered: ToolResult, console: Console, as_json: bool) -> int:
    if as_json:
        print(json.dumps(answered.data, indent=2, ensure_ascii=False))  # noqa: T201
    elif answered.fault is not None:
        console.fault(answered.fault)
    else:
        console.success(answered)
    return 0 if answered.fault is None else 1


def parser_of(offer: Tool) -> argparse.ArgumentParser:
    """The command line of a tool: its target by position, its other arguments as options."""
    parser = argparse.ArgumentParser(prog=f"container-kit run {offer.name}", description=offer.description)
    fields = offer.input.model_fields
    by_position = positional(fields)
    if by_position:
        kinds = "|".join(name.upper() for name in by_position)
        parser.add_argument(_TARGET, metavar=kinds, nargs="?" if {*_TARGETS} & {*fields} - {*by_position} else None)
    for name, field in fields.items():
        if name not in by_position:
            _add_option(parser, name, field)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def positional(fields: Collection[str]) -> tuple[str, ...]:
    """The arguments that are given by position: a path or an image, else a run."""
    return tuple(name for name in ("path", "image") if name in fields) or ("run",) * ("run" in fields)


def _add_option(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    kind = _kind(field.annotation)
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
    """The description of a field; in `Annotated[X, Field(…)] | None` it stands at the part."""
    parts = [field, *(data for part in typing.get_args(field.annotation) for data in typing.get_args(part)[1:])]
    return next((part.description for part in parts if isinstance(part, FieldInfo) and part.description), None)


def _kind(annotation: Any) -> Any:
    if typing.get_origin(annotation) is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not type(None)]
        return _kind(kinds[0])
    return annotation


def _arguments(offer: Tool, asked: dict[str, Any]) -> dict[str, JsonValue]:
    given = {name: value for name, value in asked.items() if value is not None and name != _TARGET}
    target = asked.get(_TARGET)
    if target is not None:
        given[_target_of(offer, target)] = target
    return {name: _pairs(name, value) if isinstance(value, list) else value for name, value in given.items()}


def _target_of(offer: Tool, target: str) -> str:
    """Whether a target is a folder, an image or a run; what is there as a folder, or looks like a path, is one."""
    from pathlib import Path

    kinds = positional(offer.input.model_fields)
    if len(kinds) == 1:
        return kinds[0]
    return "path" if target.startswith((".", "/", "~")) or Path(target).is_dir() else "image"


def _pairs(name: str, values: list[str]) -> dict[str, JsonValue]:
    pairs = [value.partition("=") for value in values]
    if not all(separator for _, separator, _ in pairs):
        raise WiringError(f"--{name.replace('_', '-')} takes NAME=VALUE")
    return {key: value for key, _, value in pairs}


def _workspace(chosen: settings.Settings, target: str | None) -> Workspace:
    """Whoever types a path at the command line may read it; the workspace binds assistants."""
    from pathlib import Path

    roots = list(chosen.workspace)
    if target and "workspace" not in chosen.model_fields_set:
        roots.append(Path(target).expanduser().absolute())
    return Workspace(roots)
