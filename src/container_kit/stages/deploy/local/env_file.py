"""Reading a file of `NAME=value` lines from the workspace. Values never appear in a fault."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import anyio

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction
from container_kit.stages.contract.stage import StageContext

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_LARGEST = 1 << 20

ENV_FILE_MISSING = FaultCode(
    "deploy.env_file_missing",
    means="The file of environment variables is not there or cannot be read.",
    hint="Create {path} with NAME=value lines, or leave env_file out.",
)
ENV_FILE_INVALID = FaultCode(
    "deploy.env_file_invalid",
    means="A line of the file of environment variables is not NAME=value.",
    hint="Write line {line} of {path} as NAME=value; quote a value that holds spaces or #.",
)
ENV_INVALID = FaultCode(
    "deploy.env_invalid",
    means="A variable's name or value cannot be passed to a process.",
    hint="A name has letters, digits and underscores and no `=`; a value has no NUL character.",
)

FAULTS = (ENV_FILE_MISSING, ENV_FILE_INVALID, ENV_INVALID)


async def read(ctx: StageContext, path: str, base: str | None) -> dict[str, str]:
    """Read the variables, comments, quotes and `export` allowed, nothing expanded.

    Args:
        path: Inside the workspace; a relative one is taken from `base`.
        base: A folder of the workspace; None means the workspace's first root.

    Raises:
        StageFailure: One of `FAULTS`, or one of the workspace's for a path that leads outside.
    """
    return await anyio.to_thread.run_sync(_read, ctx, path, base)


def check(variables: dict[str, str]) -> None:
    """Refuse what the kernel or a shell could not carry.

    Raises:
        StageFailure: `deploy.env_invalid`; it names the variable, not its value.
    """
    for name, value in variables.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise ENV_INVALID(f"the variable {name[:60]!r} cannot be passed to a process")


def _read(ctx: StageContext, path: str, base: str | None) -> dict[str, str]:
    text = _text(_resolved(ctx, path, base), path)
    from dotenv.parser import parse_stream

    variables: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        line = binding.original.line
        if binding.error or (binding.key is not None and binding.value is None):
            where = Evidence(kind="file", text="not NAME=value (the line is not shown)", where=f"{path}:{line}")
            action = NextAction(why=f"Correct line {line} of {path}, then make the same call again")
            raise ENV_FILE_INVALID(
                f"{path}:{line} is not NAME=value", evidence=[where], next_actions=[action], line=line, path=path
            )
        if binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    check(variables)
    return variables


def _resolved(ctx: StageContext, path: str, base: str | None) -> Path:
    wanted = Path(base or ".") / path
    folder = ctx.workspace.directory(str(wanted.parent))
    file = (folder / wanted.name).resolve()
    ctx.workspace.directory(str(file.parent))  # a link must not lead outside
    return file


def _text(file: Path, path: str) -> str:
    missing = NextAction(why="Deploy without the file", arguments={"env_file": None})
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            raise ENV_FILE_MISSING(f"{path} is not a file of variables", next_actions=[missing], path=path)
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ENV_FILE_MISSING(f"{path} cannot be read: {reason}", next_actions=[missing], path=path) from error
