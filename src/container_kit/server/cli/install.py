"""`container-kit install CLIENT`: writes a client's configuration, merging, keeping a copy, replacing nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from container_kit.stages.contract.fault import WiringError

NAME = "container-kit"
_LONGEST_CALL = 3600
"""Seconds; a client that gives up after its usual minute would stop a build."""


@dataclass(frozen=True, slots=True)
class _Client:
    file: Path
    key: str
    """Where the servers stand in the file."""
    extra: tuple[tuple[str, str | int], ...] = ()
    """What this client wants in an entry beside the program."""


def clients() -> dict[str, _Client]:
    """The clients and their files; those of a project are in the current directory."""
    home = Path.home()
    return {
        "claude-code": _Client(Path(".mcp.json"), "mcpServers"),
        "claude-desktop": _Client(_claude_desktop(home), "mcpServers"),
        "vscode": _Client(Path(".vscode/mcp.json"), "servers", (("type", "stdio"),)),
        "cursor": _Client(home / ".cursor" / "mcp.json", "mcpServers"),
        "codex": _Client(home / ".codex" / "config.toml", "mcp_servers", (("tool_timeout_sec", _LONGEST_CALL),)),
    }


def install(name: str, *, only_print: bool) -> int:
    """Have a client start this server, and say where that was written.

    Raises:
        WiringError: The file cannot be read or written, or holds another entry of this name.
    """
    client = clients()[name]
    entry = {**dict(client.extra), "command": _command(), "args": ["serve"]}
    before = _read(client.file)
    if only_print:
        print(_added({}, "", client, entry), end="")  # noqa: T201
        return 0
    known = _parsed(client.file, before)
    servers = known.get(client.key, {})
    if not isinstance(servers, dict):
        raise WiringError(f"{client.file}: {client.key} is not what it should be; nothing was changed")
    if NAME in servers:
        if servers[NAME] == entry:
            print(f"{client.file} has it already")  # noqa: T201
            return 0
        raise WiringError(f"{client.file} has another {NAME!r}; remove it first, nothing was changed")
    _write(client.file, before, _added(known, before, client, entry))
    print(f"written to {client.file}; restart {name} to use it")  # noqa: T201
    return 0


def _added(known: dict[str, Any], before: str, client: _Client, entry: dict[str, Any]) -> str:
    if client.file.suffix == ".toml":  # appended, so that the comments of the file stay
        lines = [f"[{client.key}.{NAME}]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
        gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        return before + gap + "\n".join(lines) + "\n"
    servers = {**known.get(client.key, {}), NAME: entry}
    return json.dumps({**known, client.key: servers}, indent=2, ensure_ascii=False) + "\n"


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise WiringError(f"{file} cannot be read: {error}") from error


def _parsed(file: Path, text: str) -> dict[str, Any]:
    try:
        known = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text or "{}")
    except ValueError as error:
        raise WiringError(f"{file} cannot be understood ({error}); nothing was changed") from error
    if not isinstance(known, dict):
        raise WiringError(f"{file} holds no object; nothing was changed")
    return known


def _write(file: Path, before: str, after: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if before:
            shutil.copy2(file, file.with_name(file.name + ".bak"))
        fresh = file.with_name(file.name + ".new")
        fresh.write_text(after, "utf-8")
        if before:
            shutil.copymode(file, fresh)
        fresh.replace(file.resolve())  # a link stays a link
    except OSError as error:
        raise WiringError(f"{file} cannot be written: {error}") from error


def _command() -> str:
    """The program by its full path where it is known: clients seldom share a shell's PATH."""
    beside = Path(sys.executable).with_name(NAME)
    return str(beside) if beside.exists() else shutil.which(NAME) or NAME


def _claude_desktop(home: Path) -> Path:
    if sys.platform == "darwin":
        folder = home / "Library" / "Application Support" / "Claude"
    elif sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA", home)) / "Claude"
    else:
        folder = home / ".config" / "Claude"
    return folder / "claude_desktop_config.json"
