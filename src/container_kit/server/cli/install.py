"""`container-kit install CLIENT`: add this server to a client's configuration file, keeping a copy of the file."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from container_kit.stages.contract.fault import ConfigurationError

NAME = "container-kit"
_TOOL_TIMEOUT_SECONDS = 3600
"""The client's default of a minute would cancel builds."""


@dataclass(frozen=True, slots=True)
class _Client:
    file: Path
    key: str
    """The key of the servers in the file."""
    extra: tuple[tuple[str, str | int], ...] = ()
    """Further fields that this client needs in an entry."""


def clients() -> dict[str, _Client]:
    """Return the clients and their files. Files of a project are in the current directory."""
    home = Path.home()
    return {
        "claude-code": _Client(Path(".mcp.json"), "mcpServers"),
        "claude-desktop": _Client(_claude_desktop(home), "mcpServers"),
        "vscode": _Client(Path(".vscode/mcp.json"), "servers", (("type", "stdio"),)),
        "cursor": _Client(home / ".cursor" / "mcp.json", "mcpServers"),
        "codex": _Client(
            home / ".codex" / "config.toml", "mcp_servers", (("tool_timeout_sec", _TOOL_TIMEOUT_SECONDS),)
        ),
    }


def install(name: str, *, only_print: bool, workspace: Path | None = None) -> int:
    """Register this server with a client and print the file that was changed.

    Args:
        name: The client.
        only_print: Print the entry and change nothing.
        workspace: The folder that the server may access; None leaves it to the folder that the client starts it in.

    Raises:
        ConfigurationError: The file cannot be read or written, or has another entry of this name.
    """
    client = clients()[name]
    entry: dict[str, Any] = {**dict(client.extra), "command": _command(), "args": ["serve"]}
    if workspace is not None:
        entry["env"] = {"CONTAINER_KIT_WORKSPACE": str(_folder(workspace))}
    if only_print:
        print(_with_entry({}, "", client, entry), end="")  # noqa: T201
        return 0
    text = _read(client.file)
    config = _parse(client.file, text)
    servers = config.get(client.key, {})
    if not isinstance(servers, dict):
        raise ConfigurationError(f"{client.file}: {client.key} is not an object; nothing was changed")
    if NAME in servers:
        if servers[NAME] == entry:
            print(f"Already configured in {client.file}.")  # noqa: T201
            return 0
        raise ConfigurationError(f"{client.file} has a different {NAME!r}; remove it first, nothing was changed")
    _write(client.file, text, _with_entry(config, text, client, entry))
    print(f"Added to {client.file}. Restart {name} to use it.")  # noqa: T201
    return 0


def _with_entry(config: dict[str, Any], text: str, client: _Client, entry: dict[str, Any]) -> str:
    if client.file.suffix == ".toml":  # appended, to keep the comments of the file
        lines = [f"[{client.key}.{NAME}]", *(f"{key} = {_toml(value)}" for key, value in entry.items())]
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return text + gap + "\n".join(lines) + "\n"
    servers = {**config.get(client.key, {}), NAME: entry}
    return json.dumps({**config, client.key: servers}, indent=2, ensure_ascii=False) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8") if file.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        config = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text or "{}")
    except ValueError as error:
        raise ConfigurationError(f"{file} cannot be parsed ({error}); nothing was changed") from error
    if not isinstance(config, dict):
        raise ConfigurationError(f"{file} does not contain an object; nothing was changed")
    return config


def _write(file: Path, before: str, after: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if before:
            shutil.copy2(file, file.with_name(file.name + ".bak"))
        temporary = file.with_name(file.name + ".new")
        temporary.write_text(after, "utf-8")
        if before:
            shutil.copymode(file, temporary)
        temporary.replace(file.resolve())  # keeps a symbolic link
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error}") from error


def _folder(workspace: Path) -> Path:
    folder = workspace.expanduser().resolve()
    if not folder.is_dir():
        raise ConfigurationError(f"--workspace: {folder} is not a folder; nothing was changed")
    return folder


def _command() -> str:
    """Return the program, with its full path if possible, because clients seldom share a shell's PATH."""
    program = Path(sys.executable).with_name(NAME)
    return str(program) if program.exists() else shutil.which(NAME) or NAME


def _claude_desktop(home: Path) -> Path:
    if sys.platform == "darwin":
        folder = home / "Library" / "Application Support" / "Claude"
    elif sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA", home)) / "Claude"
    else:
        folder = home / ".config" / "Claude"
    return folder / "claude_desktop_config.json"
