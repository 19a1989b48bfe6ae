"""Reads a file of `NAME=value` lines from the workspace. Values never appear in a fault."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import anyio

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction
from container_kit.stages.contract.stage import StageContext
from container_kit.stages.formats.workspace_files import read_workspace_file

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

ENV_FILE_NOT_FOUND = FaultCode(
    "deploy.env_file_not_found",
    means="The environment file does not exist or cannot be read.",
    hint="Create {path} with NAME=value lines, or leave env_file out.",
)
ENV_FILE_INVALID = FaultCode(
    "deploy.env_file_invalid",
    means="A line of the environment file is not NAME=value.",
    hint="Write line {line} of {path} as NAME=value; quote a value with spaces or #.",
)
ENV_INVALID = FaultCode(
    "deploy.env_invalid",
    means="A variable's name or value cannot be passed to a process.",
    hint="A name has letters, digits and underscores and no `=`; a value has no NUL character.",
)

FAULTS = (ENV_FILE_NOT_FOUND, ENV_FILE_INVALID, ENV_INVALID)


async def read(ctx: StageContext, path: str, base: str | None) -> dict[str, str]:
    """Read the variables. Comments, quotes and `export` are allowed; nothing is expanded.

    Args:
        path: A path in the workspace; a relative path starts at `base`.
        base: A folder of the workspace; None means the first root.

    Raises:
        StageFailure: One of `FAULTS`, or a workspace fault if the path leads outside.
    """
    return await anyio.to_thread.run_sync(_read, ctx, path, base)


def check(variables: dict[str, str]) -> None:
    """Reject variables that the kernel or a shell could not pass on.

    Raises:
        StageFailure: `deploy.env_invalid`; it names the variable, not its value.
    """
    for name, value in variables.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise ENV_INVALID(f"the variable {name[:60]!r} cannot be passed to a process")


def _read(ctx: StageContext, path: str, base: str | None) -> dict[str, str]:
    text = _text(ctx, _find(ctx, path, base), path)
    from dotenv.parser import parse_stream

    variables: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        line = binding.original.line
        if binding.error or (binding.key is not None and binding.value is None):
            evidence = Evidence(kind="file", text="not NAME=value (the line is not shown)", where=f"{path}:{line}")
            action = NextAction(why=f"Correct line {line} of {path}, then repeat the call")
            raise ENV_FILE_INVALID(
                f"{path}:{line} is not NAME=value", evidence=[evidence], next_actions=[action], line=line, path=path
            )
        if binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    check(variables)
    return variables


def _find(ctx: StageContext, path: str, base: str | None) -> Path:
    requested = Path(base or ".") / path
    folder = ctx.workspace.directory(str(requested.parent))
    return folder / requested.name


def _text(ctx: StageContext, file: Path, path: str) -> str:
    without = NextAction(why="Deploy without the file", arguments={"env_file": None})
    try:
        return read_workspace_file(ctx.workspace, file).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ENV_FILE_NOT_FOUND(f"{path} cannot be read: {reason}", next_actions=[without], path=path) from error
